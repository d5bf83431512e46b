import { type TSchema, Type } from "typebox";
import { EVENT_TYPE_PATTERN } from "../casino/event.ts";
import { enrichedSchemas, rawSchemas } from "../casino/schema.ts";

export const ref = (name: string) => Type.Unsafe({ $ref: `${name}#` });
const count = (description: string) => Type.Integer({ minimum: 0, description });

const fieldError = Type.Object({
  path: Type.String({ description: "JSON pointer into the event, empty for the whole of it" }),
  message: Type.String({ description: "what it must be" }),
});

const counts = {
  accepted: count("events stored now"),
  duplicates: count("events stored before under the same client, source and id"),
  rejected: Type.Array(ref("Rejected"), { maxItems: 1_000 }),
  rejected_total: Type.Optional(count("how many were refused, when `rejected` names only the first of them")),
};

const problem = {
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer({ minimum: 400, maximum: 599 }),
  detail: Type.String({ description: "what is wrong and what to do" }),
};

const ranked = Type.Object({
  id: Type.Integer({ description: "the player" }),
  count: Type.Integer({ description: "bets, wins, or euro cents of deposits" }),
  client_id: Type.String(),
});
const best = Type.Union([ref("RankedPlayer"), Type.Null()]);
const list = Type.Optional(
  Type.Array(ref("RankedPlayer"), { description: "present when `top` was asked for" }),
);

const stored = { client_id: Type.String(), source: Type.String() };

/** The schemas that routes refer to, by name: in the API's description each is a component. */
export const components: Readonly<Record<string, TSchema>> = {
  RawGameEvent: rawSchemas.game,
  RawBetEvent: rawSchemas.bet,
  RawDepositEvent: rawSchemas.deposit,
  RawCustomEvent: rawSchemas.custom,
  RawEvent: Type.Union(
    [ref("RawGameEvent"), ref("RawBetEvent"), ref("RawDepositEvent"), ref("RawCustomEvent")],
    { description: "An event as producers send it. Keys without a meaning for its type are ignored." },
  ),
  StoredEvent: Type.Union(
    [enrichedSchemas.game, enrichedSchemas.bet, enrichedSchemas.deposit, enrichedSchemas.custom].map(
      (schema) => Type.Object({ ...schema.properties, ...stored }),
    ),
    { description: "An event as it left the pipeline, with its client and source." },
  ),
  Rejected: Type.Object({
    index: Type.Integer({ minimum: 0, description: "place in the array, or number of the line, from 0" }),
    errors: Type.Array(fieldError, { minItems: 1 }),
  }),
  Counts: Type.Object(counts),
  Problem: Type.Object(problem, { description: "RFC 9457" }),
  CountsProblem: Type.Object(
    { ...problem, ...Type.Partial(Type.Object(counts)).properties },
    { description: "RFC 9457, with what became of the events where that is known" },
  ),
  RankedPlayer: ranked,
  Materialized: Type.Object({
    events_total: count("final events, each once"),
    events_per_minute: Type.Number({ minimum: 0, description: "since the first event" }),
    events_per_second_moving_average: Type.Number({
      minimum: 0,
      description: "over the last `window_size` seconds",
    }),
    top_player_bets: best,
    top_player_wins: best,
    top_player_deposits: best,
    top_players_bets: list,
    top_players_wins: list,
    top_players_deposits: list,
  }),
  EventPage: Type.Object({
    events: Type.Array(ref("StoredEvent")),
    next_cursor: Type.Union([Type.String(), Type.Null()], {
      description: "for the next page; null at the end",
    }),
  }),
  Alive: Type.Object({ status: Type.Unsafe({ type: "string", enum: ["alive"] }) }),
  Readiness: Type.Object({
    status: Type.Unsafe({ type: "string", enum: ["ready", "not ready"] }),
    checks: Type.Record(Type.String(), Type.String(), { description: "`ok`, or what is missing" }),
    warnings: Type.Optional(
      Type.Array(Type.String(), {
        description: "what somebody should look at; absent while there is nothing",
      }),
    ),
  }),
};

export const json = (name: string, description: string) => ({
  description,
  content: { "application/json": { schema: ref(name) } },
});
export const problems = (name: string, description: string) => ({
  description,
  content: { "application/problem+json": { schema: ref(name) } },
});

const keyProblems = {
  401: problems("Problem", "no API key, or none that exists"),
  403: problems("Problem", "the API key was revoked, has expired, or is an operator's"),
  429: problems("Problem", "too many requests with this API key; see Retry-After"),
};
export const withKey = [{ apiKey: [] }];

/** What the description says of each route. */
export const routeSchemas = {
  postEvents: {
    operationId: "postEvents",
    summary: "Send events",
    description:
      "Takes one event, up to 1000 as an array (1 MiB), any number as lines, or a protobuf Event or EventBatch of " +
      "/event.proto. The answer comes once the events are stored. Sending an event again is harmless: client, source " +
      "and id tell it apart.",
    tags: ["events"],
    security: withKey,
    headers: Type.Object({
      traceparent: Type.Optional(Type.String({ description: "W3C Trace Context, continued by every event" })),
    }),
    body: {
      content: {
        "application/json": {
          schema: Type.Union([
            ref("RawEvent"),
            Type.Array(ref("RawEvent"), { minItems: 1, maxItems: 1_000 }),
          ]),
        },
        "application/x-ndjson": {
          schema: Type.String({ description: "one event per line; blank lines count but are ignored" }),
        },
        "application/x-protobuf": { schema: Type.Unsafe({ type: "string", format: "binary" }) },
      },
    },
    response: {
      202: json("Counts", "every event is stored"),
      207: json("Counts", "some events are stored, the others are invalid"),
      400: problems("CountsProblem", "the body cannot be read, or every event in it is invalid"),
      ...keyProblems,
      408: problems("CountsProblem", "the body, or its next line, took too long"),
      413: problems("Problem", "more than 1000 events, or more than 1 MiB"),
      415: problems("Problem", "a Content-Type or Content-Encoding that is not taken"),
      503: problems(
        "CountsProblem",
        "the stream is full or the broker away: send all again; see Retry-After",
      ),
    },
  },
  getEvents: {
    operationId: "getEvents",
    summary: "Read persisted events",
    description: "The events of the key's client by `created_at`, the latest first.",
    tags: ["events"],
    security: withKey,
    querystring: Type.Object({
      type: Type.Optional(Type.String({ pattern: EVENT_TYPE_PATTERN })),
      player_id: Type.Optional(Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })),
      from: Type.Optional(
        Type.String({ format: "date-time", description: "the earliest `created_at`, included" }),
      ),
      to: Type.Optional(
        Type.String({ format: "date-time", description: "the latest `created_at`, excluded" }),
      ),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000, default: 100 })),
      cursor: Type.Optional(Type.String({ description: "the `next_cursor` of an earlier answer" })),
    }),
    response: {
      200: json("EventPage", "a page of events"),
      400: problems("Problem", "a parameter is wrong"),
      ...keyProblems,
      503: problems("Problem", "the archive is away; see Retry-After"),
    },
  },
  getMaterialized: {
    operationId: "getMaterialized",
    summary: "Read totals, rates and top players",
    tags: ["aggregates"],
    querystring: Type.Object({
      window_size: Type.Optional(
        Type.Integer({
          minimum: 1,
          maximum: 3_600,
          default: 60,
          description: "seconds of the moving average",
        }),
      ),
      client_id: Type.Optional(
        Type.String({ pattern: "^[a-z0-9-]{1,40}$", description: "only this client" }),
      ),
      top: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: "how many players to list" })),
    }),
    response: {
      200: json("Materialized", "the aggregates of all final events"),
      400: problems("Problem", "a parameter is wrong"),
      503: problems("Problem", "no materializer answers; see Retry-After"),
    },
  },
  healthz: {
    operationId: "healthz",
    summary: "Whether the process is alive",
    tags: ["health"],
    response: { 200: json("Alive", "it is") },
  },
  readyz: {
    operationId: "readyz",
    summary: "Whether everything the gateway needs is there",
    tags: ["health"],
    response: { 200: json("Readiness", "it is"), 503: json("Readiness", "it is not") },
  },
} as const;
