import type { FastifyRequest } from "fastify";
import { CursorError } from "../../archive/cursor.ts";
import type { EventFilter, EventPage } from "../../archive/find-events.ts";
import { parseTimestamp } from "../../casino/timestamp.ts";
import { producerOf } from "../../http/authentication.ts";
import { ConcurrencyLimit } from "../../http/concurrency-limit.ts";
import { readParameters } from "../../http/parameters.ts";
import { defaultLimit } from "../../http/schemas.ts";
import { orUnavailable, Problem } from "../../service/problem.ts";
import { eventSchemas } from "./schemas.ts";

/** Reads persisted events. @throws CursorError, Unavailable */
export type FindEvents = (filter: EventFilter, signal: AbortSignal) => Promise<EventPage>;

const timeoutMs = 10_000;

/** The handler of `GET /events`: the events of the key's client, with few queries per client at once. */
export function getEvents(find: FindEvents) {
  const limit = new ConcurrencyLimit({ all: 4, ofOwner: 2, what: "read events" });
  return async (request: FastifyRequest): Promise<EventPage> => {
    const { client } = producerOf(request);
    const {
      player_id: playerId,
      from,
      to,
      ...others
    } = readParameters(request, eventSchemas.list.querystring);
    const filter: EventFilter = {
      ...{ client, playerId, from: timestamp(from), to: timestamp(to), limit: defaultLimit },
      ...others,
    };
    try {
      return await orUnavailable("The archive does not answer at the moment: try again shortly.", () =>
        limit.run(client, () => find(filter, AbortSignal.timeout(timeoutMs))),
      );
    } catch (err) {
      throw err instanceof CursorError ? new Problem(400, err.message, { cause: err }) : err;
    }
  };
}

/** In the form that events use. */
const timestamp = (text: string | undefined) => (text === undefined ? undefined : parseTimestamp(text));
