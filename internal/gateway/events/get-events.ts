import type { FastifyRequest } from "fastify";
import { CursorError } from "../../archive/cursor.ts";
import type { EventFilter, EventPage } from "../../archive/find-events.ts";
import { parseTimestamp } from "../../casino/timestamp.ts";
import { producerOf } from "../../http/authentication.ts";
import { ConcurrencyLimit } from "../../http/concurrency-limit.ts";
import { readParameters } from "../../http/parameters.ts";
import { defaultLimit } from "../../http/schemas.ts";
import { Problem, unavailable } from "../../service/problem.ts";
import { isUnavailable } from "../../service/unavailable.ts";
import { eventSchemas } from "./schemas.ts";

/** Reads persisted events. @throws CursorError, Unavailable */
export type FindEvents = (filter: EventFilter, signal: AbortSignal) => Promise<EventPage>;

const timeoutMs = 10_000;

/** The handler of `GET /events`: the events of the key's client, with few queries per client at once. */
export function getEvents(find: FindEvents) {
  const limit = new ConcurrencyLimit({ all: 4, ofOwner: 2, what: "read events" });
  return async (request: FastifyRequest): Promise<EventPage> => {
    const { client } = producerOf(request);
    const query = readQuery(client, request.query as Readonly<Record<string, unknown>>); // the query parser's type
    try {
      return await limit.run(client, () => find(query, AbortSignal.timeout(timeoutMs)));
    } catch (err) {
      if (err instanceof CursorError) throw new Problem(400, err.message, { cause: err });
      if (isUnavailable(err))
        throw unavailable("The archive does not answer at the moment: try again shortly.", { cause: err });
      throw err;
    }
  };
}

/** Ignores other names: monitors and caches add their own. @throws Problem 400 with everything that is wrong */
function readQuery(client: string, given: Readonly<Record<string, unknown>>): EventFilter {
  const parameters = readParameters(eventSchemas.list.querystring, given);
  const { type, player_id: playerId, from, to, limit = defaultLimit, cursor } = parameters;
  return { client, type, playerId, from: timestamp(from), to: timestamp(to), limit, cursor };
}

/** In the form that events use. */
const timestamp = (text: string | undefined) => (text === undefined ? undefined : parseTimestamp(text));
