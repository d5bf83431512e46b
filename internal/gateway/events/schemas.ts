import { type TSchema, Type } from "typebox";
import { EVENT_TYPE_PATTERN } from "../../casino/event.ts";
import { enrichedSchemas, rawSchemas } from "../../casino/schema.ts";
import {
  cursorParameter,
  dateTime,
  json,
  keyProblems,
  limitParameter,
  nextCursor,
  problems,
  ref,
  withKey,
} from "../../http/schemas.ts";

const stored = { client_id: Type.String(), source: Type.String() };

const gameStart = {
  id: 1,
  type: "game_start",
  player_id: 10,
  game_id: 100,
  created_at: "2022-01-10T12:34:56.789Z",
};
const bet = {
  id: 2,
  type: "bet",
  player_id: 11,
  game_id: 101,
  amount: 500,
  currency: "USD",
  has_won: true,
  created_at: "2022-02-02T23:45:00Z",
};
const deposit = {
  id: 3,
  type: "deposit",
  player_id: 12,
  amount: 10_000,
  currency: "EUR",
  created_at: "2022-03-03T12:12:00Z",
};
const gameStop = { ...gameStart, id: 4, type: "game_stop", created_at: "2022-01-10T12:40:00Z" };
/** Of a type registered by `croupier samples`. */
const custom = {
  id: 5,
  type: "transaction_approved",
  created_at: "2022-04-04T08:00:00Z",
  data: { transaction_id: "t-1", player_id: 10, amount: 2_500, currency: "EUR", method: "card" },
};

/** Each can be sent as it is from the documentation page. */
const jsonExamples = {
  bet: { summary: "a bet of 5.00 USD", value: bet },
  deposit: { summary: "a deposit of 100.00 EUR", value: deposit },
  game_start: { summary: "a game starts", value: gameStart },
  game_stop: { summary: "a game stops", value: gameStop },
  custom: { summary: "an event of a custom type", value: custom },
  several: { summary: "several events", value: [gameStart, bet, deposit, gameStop] },
};
const linesExample = {
  several: {
    summary: "several events",
    value: [gameStart, bet, deposit, gameStop].map((event) => `${JSON.stringify(event)}\n`).join(""),
  },
};

/** The components of the API's description that events need. */
export const eventComponents: Readonly<Record<string, TSchema>> = {
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
  EventPage: Type.Object({ events: Type.Array(ref("StoredEvent")), next_cursor: nextCursor }),
};

/** What the description says of the routes. */
export const eventSchemas = {
  post: {
    operationId: "postEvents",
    summary: "Send events",
    description:
      "Accepts one event, up to 1000 as an array (1 MiB), any number as lines, or a protobuf Event or EventBatch of " +
      "/event.proto. It answers once the events are stored. Sending an event again is harmless: client, source " +
      "and id identify it.",
    tags: ["events"],
    security: withKey,
    headers: Type.Object({
      traceparent: Type.Optional(
        Type.String({
          description:
            "W3C Trace Context, continued by every event; without it the events of a message share a new trace",
        }),
      ),
    }),
    body: {
      content: {
        "application/json": {
          schema: Type.Union(
            [ref("RawEvent"), Type.Array(ref("RawEvent"), { minItems: 1, maxItems: 1_000 })],
            { "x-examples": jsonExamples },
          ),
        },
        "application/x-ndjson": {
          schema: Type.String({
            description: "one event per line; blank lines count but are ignored",
            "x-examples": linesExample,
          }),
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
      415: problems("Problem", "an unsupported Content-Type or Content-Encoding"),
      503: problems(
        "CountsProblem",
        "the stream is full or the broker is away: send all events again; see Retry-After",
      ),
    },
  },
  list: {
    operationId: "getEvents",
    summary: "Read persisted events",
    description: "The events of the key's client by `created_at`, latest first.",
    tags: ["events"],
    security: withKey,
    querystring: Type.Object({
      type: Type.Optional(
        Type.String({ pattern: EVENT_TYPE_PATTERN, description: "of the form [a-z0-9_-]{1,40}" }),
      ),
      player_id: Type.Optional(Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })),
      from: Type.Optional(dateTime("the earliest `created_at`, included")),
      to: Type.Optional(dateTime("the latest `created_at`, excluded")),
      limit: limitParameter(),
      cursor: cursorParameter("^[A-Za-z0-9_-]+$"),
    }),
    response: {
      200: json("EventPage", "a page of events"),
      400: problems("Problem", "a parameter is wrong"),
      ...keyProblems,
      503: problems("Problem", "the archive is away; see Retry-After"),
    },
  },
} as const;
