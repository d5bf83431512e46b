import type { FastifyRequest } from "fastify";
import { CursorError } from "../archive/cursor.ts";
import type { EventFilter, EventPage } from "../archive/find-events.ts";
import { isEventType } from "../casino/event.ts";
import { parseTimestamp } from "../casino/timestamp.ts";
import { Problem, unavailable } from "../problem.ts";
import { isUnavailable } from "../unavailable.ts";
import { producerOf } from "./authentication.ts";

/** Reads persisted events. @throws CursorError, Unavailable */
export type FindEvents = (filter: EventFilter, signal: AbortSignal) => Promise<EventPage>;

const defaultLimit = 100;
const maxLimit = 1_000;
const timeoutMs = 10_000;

/** The handler of `GET /events`: the events of the key's client. */
export function getEvents(find: FindEvents) {
  return async (request: FastifyRequest): Promise<EventPage> => {
    const { client } = producerOf(request);
    const query = readQuery(client, request.query as Readonly<Record<string, unknown>>); // the query parser's type
    try {
      return await find(query, AbortSignal.timeout(timeoutMs));
    } catch (err) {
      if (err instanceof CursorError) throw wrong([err.message]);
      if (isUnavailable(err)) throw unavailable("The archive is away: try again shortly.", { cause: err });
      throw err;
    }
  };
}

/** Other names are ignored: monitors and caches add their own. @throws Problem 400 with everything that is wrong */
function readQuery(client: string, parameters: Readonly<Record<string, unknown>>): EventFilter {
  const problems: string[] = [];
  const read = <T>(name: string, must: string, parse: (text: string) => T | undefined): T | undefined => {
    const given = parameters[name];
    if (given === undefined) return undefined;
    const value = typeof given === "string" ? parse(given) : undefined;
    if (value === undefined) problems.push(`${name} must ${must}, not ${shown(given)}.`);
    return value;
  };
  const integer = (max: number) => (text: string) =>
    /^\d{1,16}$/.test(text) && Number(text) >= 1 && Number(text) <= max ? Number(text) : undefined;
  const time = "be an existing RFC 3339 date-time such as 2022-01-10T12:34:56Z";

  const type = read("type", "be of the form [a-z0-9_-]{1,40}", (text) =>
    isEventType(text) ? text : undefined,
  );
  const playerId = read("player_id", "be an integer from 1 to 2^53-1", integer(Number.MAX_SAFE_INTEGER));
  // A plus sign that was not percent-encoded arrives as a space.
  const from = read("from", time, (text) => parseTimestamp(text.replace(" ", "+")));
  const to = read("to", time, (text) => parseTimestamp(text.replace(" ", "+")));
  const limit = read("limit", `be an integer from 1 to ${maxLimit}`, integer(maxLimit)) ?? defaultLimit;
  const cursor = read("cursor", "be a next_cursor of an earlier answer", (text) => text);
  if (problems.length > 0) throw wrong(problems);
  return { client, type, playerId, from, to, limit, cursor };
}

function wrong(sentences: readonly string[]): Problem {
  return new Problem(400, sentences.join(" "));
}

function shown(value: unknown): string {
  return JSON.stringify(value).slice(0, 100);
}
