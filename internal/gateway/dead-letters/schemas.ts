import { type TSchema, Type } from "typebox";
import { TOKEN_PATTERN } from "../../dead-letters/filter.ts";
import {
  defaultLimit,
  json,
  nextCursor,
  numberCursor,
  optionalBody,
  problems,
  ref,
  withKey,
} from "../../http/schemas.ts";
import { deadReasons } from "../../messages/dead-letter.ts";

const seq = Type.Integer({
  minimum: 1,
  maximum: Number.MAX_SAFE_INTEGER,
  description: "the letter's place in CASINO_DEAD",
});
const client = Type.String({ description: "whose it is" });
const oneOf = (...values: readonly string[]) => Type.Unsafe<string>({ type: "string", enum: values });

const head = {
  seq,
  at: Type.String({ format: "date-time", description: "when it was set aside" }),
  reason: Type.String({ description: `one of ${deadReasons.join(", ")}` }),
  step: Type.String({ description: "the step that gave up" }),
  client_id: client,
  error: Type.String({ description: "a sentence, with JSON pointers where there are any" }),
  subject: Type.String({ description: "where the message failed" }),
  deliveries: Type.Integer({ description: "how often it was delivered" }),
  replays: Type.Integer({ description: "how often it was sent again before" }),
  bytes: Type.Integer({ description: "size of the payload" }),
};

const outlook = {
  would: oneOf("pass", "fail", "perhaps pass"),
  reason: Type.Optional(Type.String({ description: "with which it would fail" })),
  because: Type.Optional(Type.String()),
};

/** The components of the API's description that dead letters need. */
export const deadLetterComponents: Readonly<Record<string, TSchema>> = {
  DeadLetterHead: Type.Object(head),
  DeadLetterPage: Type.Object({
    dead_letters: Type.Array(ref("DeadLetterHead"), { description: "the newest first" }),
    next_cursor: nextCursor,
    groups: Type.Optional(
      Type.Array(
        Type.Object({ reason: Type.String(), step: Type.String(), client_id: client, count: Type.Integer() }),
        { description: "how many there are of each kind, the most frequent first; when asked for" },
      ),
    ),
  }),
  DeadLetter: Type.Object({
    ...head,
    errors: Type.Array(Type.Object({ path: Type.String(), message: Type.String() }), {
      description: "`error` taken apart, with JSON pointers into the payload",
    }),
    source: Type.String({ description: "the producer within the client" }),
    headers: Type.Record(Type.String(), Type.String(), {
      description: "all of the message's; `traceparent` is its trace",
    }),
    payload: Type.String({ description: "the original bytes" }),
    payload_encoding: oneOf("utf-8", "base64"),
  }),
  DeadLetterOutlook: Type.Object({ seq, ...outlook }),
  Replayed: Type.Object({
    seq,
    outcome: oneOf("replayed", "already replayed"),
    subject: Type.String({ description: "where it was sent" }),
    replays: Type.Integer({ description: "how often it was sent again, this time included" }),
  }),
  ReplayedMany: Type.Object({
    replayed: Type.Integer(),
    already_replayed: Type.Integer({ description: "sent before; only the letter was still there" }),
    failed: Type.Array(Type.Object({ seq, because: Type.String() }), {
      description: "letters that cannot be sent again",
    }),
    more: Type.Boolean({ description: "whether letters that match are left: go on with `next_cursor`" }),
    next_cursor: Type.Union([Type.String(), Type.Null()], { description: "null at the end" }),
  }),
  DeadLetterOutlooks: Type.Object({
    pass: Type.Integer(),
    perhaps_pass: Type.Integer(),
    fail: Type.Integer(),
    dead_letters: Type.Array(ref("DeadLetterOutlook")),
    more: Type.Boolean({ description: "whether there are more letters that match" }),
    next_cursor: Type.Union([Type.String(), Type.Null()], { description: "null at the end" }),
  }),
};

const either = (description: string, ...names: readonly string[]) => ({
  description,
  content: { "application/json": { schema: Type.Union(names.map((name) => ref(name))) } },
});

const bodyProblems = {
  413: problems("Problem", "the body is larger than 1 MiB"),
  415: problems("Problem", "the body has another Content-Type, or a Content-Encoding"),
};
const common = { tags: ["dead letters"], security: withKey };
const keyProblems = {
  401: problems("Problem", "no API key, or none that exists"),
  403: problems("Problem", "the API key was revoked or has expired, or the letter is another client's"),
  429: problems("Problem", "too many requests with this API key; see Retry-After"),
  503: problems("Problem", "the broker is away, or too many read at once; see Retry-After"),
};
const oneProblems = {
  400: problems("Problem", "the number is none, or a parameter is unknown"),
  404: problems("Problem", "there is no such letter (any more)"),
  ...keyProblems,
};
const params = Type.Object({ seq });
const filter = {
  reason: Type.Optional(oneOf(...deadReasons)),
  step: Type.Optional(
    Type.String({ pattern: TOKEN_PATTERN, description: "the name of a step, such as currency" }),
  ),
  client_id: Type.Optional(
    Type.String({
      pattern: TOKEN_PATTERN,
      description:
        "the name of a client, such as casino; needs an operator's key, unless it is the key's own",
    }),
  ),
};
const dryRun = {
  dry_run: Type.Optional(
    Type.Boolean({ default: false, description: "sends nothing, tells what would pass now" }),
  ),
};
/** Letters of a bulk replay by default; also the maximum of a dry run. */
export const defaultReplayed = 1_000;
/** For the routes that take no parameters. */
export const noParameters = Type.Object({}, { additionalProperties: false });
const limit = (preset: number, max: number) =>
  Type.Optional(Type.Integer({ minimum: 1, maximum: max, default: preset, description: "most letters" }));

const many = Type.Object(
  { ...filter, limit: limit(defaultReplayed, 10_000), cursor: numberCursor, ...dryRun },
  { additionalProperties: false },
);

/** What the description says of the routes. */
export const deadLetterSchemas = {
  list: {
    ...common,
    operationId: "listDeadLetters",
    summary: "List dead letters",
    description: "The newest first; with an operator's key of all clients, else of the key's client.",
    querystring: Type.Object(
      {
        ...filter,
        limit: limit(defaultLimit, 1_000),
        cursor: numberCursor,
        groups: Type.Optional(
          Type.Boolean({
            default: false,
            description: "also count all that match by reason, step and client: reads every letter",
          }),
        ),
      },
      { additionalProperties: false },
    ),
    response: {
      200: json("DeadLetterPage", "a page of letters"),
      400: problems("Problem", "a parameter is wrong or unknown"),
      ...keyProblems,
    },
  },
  show: {
    ...common,
    operationId: "getDeadLetter",
    summary: "Read one dead letter",
    params,
    response: { 200: json("DeadLetter", "the letter"), ...oneProblems },
  },
  replay: {
    ...common,
    ...optionalBody,
    operationId: "replayDeadLetter",
    summary: "Send a dead letter again",
    description:
      "Sends the payload, or the one in the body, to where it failed, with client, source and id as they were, and " +
      "removes the letter. An event that fails again comes back as another letter, with its count of replays.",
    params,
    querystring: Type.Object(dryRun, { additionalProperties: false }),
    body: {
      content: {
        "application/json": { schema: Type.Object({}, { description: "the mended event; optional" }) },
      },
    },
    response: {
      200: either("it was sent; or, in a dry run, what would become of it", "Replayed", "DeadLetterOutlook"),
      ...oneProblems,
      400: problems(
        "Problem",
        "the number is none, a parameter is wrong or unknown, or the payload in the body would fail: see `because`",
      ),
      409: problems("Problem", "the letter cannot be sent again"),
      ...bodyProblems,
    },
  },
  replayMany: {
    ...common,
    ...optionalBody,
    operationId: "replayDeadLetters",
    summary: "Send all dead letters again that match",
    description:
      "The oldest first, at most `limit` and for at most 20 s. Takes its parameters from the query or from the body.",
    querystring: many,
    body: { content: { "application/json": { schema: many } } },
    response: {
      200: either("what became of them; or, in a dry run, would", "ReplayedMany", "DeadLetterOutlooks"),
      400: problems("Problem", "a parameter is wrong or unknown"),
      ...keyProblems,
      ...bodyProblems,
    },
  },
  discard: {
    ...common,
    operationId: "discardDeadLetter",
    summary: "Discard a dead letter for good",
    params,
    response: { 204: Type.Null({ description: "it is gone" }), ...oneProblems },
  },
} as const;
