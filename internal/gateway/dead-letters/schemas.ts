import { type TSchema, Type } from "typebox";
import { TOKEN_PATTERN } from "../../dead-letters/filter.ts";
import {
  anyKeyProblems,
  bodyProblems,
  clientParameter,
  flag,
  json,
  limitParameter,
  nextCursor,
  numberCursor,
  oneOf,
  optionalBody,
  parameters,
  problems,
  ref,
  withKey,
} from "../../http/schemas.ts";
import { deadReasons } from "../../messages/dead-letter.ts";

const seq = Type.Integer({
  minimum: 1,
  maximum: Number.MAX_SAFE_INTEGER,
  description: "the letter's sequence in CASINO_DEAD",
});
const client = Type.String({ description: "the event's client" });

const head = {
  seq,
  at: Type.String({ format: "date-time", description: "when the event became a dead letter" }),
  reason: Type.String({ description: `one of ${deadReasons.join(", ")}` }),
  step: Type.String({ description: "the step that gave up" }),
  client_id: client,
  error: Type.String({ description: "a sentence, with JSON pointers if there are any" }),
  subject: Type.String({ description: "the subject on which the message failed" }),
  deliveries: Type.Integer({ description: "how often it was delivered" }),
  replays: Type.Integer({ description: "number of earlier replays" }),
  bytes: Type.Integer({ description: "size of the payload" }),
};

const outlook = {
  would: oneOf("pass", "fail", "perhaps pass"),
  reason: Type.Optional(Type.String({ description: "the reason with which it would fail" })),
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
        { description: "counts by kind, most frequent first; only if requested" },
      ),
    ),
  }),
  DeadLetter: Type.Object({
    ...head,
    errors: Type.Array(Type.Object({ path: Type.String(), message: Type.String() }), {
      description: "the parts of `error`, with JSON pointers into the payload",
    }),
    source: Type.String({ description: "the producer within the client" }),
    headers: Type.Record(Type.String(), Type.String(), {
      description: "all headers of the message; `traceparent` is its trace",
    }),
    payload: Type.String({ description: "the original bytes" }),
    payload_encoding: oneOf("utf-8", "base64"),
  }),
  DeadLetterOutlook: Type.Object({ seq, ...outlook }),
  Replayed: Type.Object({
    seq,
    outcome: oneOf("replayed", "already replayed"),
    subject: Type.String({ description: "the subject to which it was sent" }),
    replays: Type.Integer({ description: "number of replays, including this one" }),
  }),
  ReplayedMany: Type.Object({
    replayed: Type.Integer(),
    already_replayed: Type.Integer({ description: "already sent; only the letter was left" }),
    failed: Type.Array(Type.Object({ seq, because: Type.String() }), {
      description: "letters that cannot be replayed",
    }),
    more: Type.Boolean({ description: "whether matching letters are left: continue with `next_cursor`" }),
    next_cursor: nextCursor,
  }),
  DeadLetterOutlooks: Type.Object({
    pass: Type.Integer(),
    perhaps_pass: Type.Integer(),
    fail: Type.Integer(),
    dead_letters: Type.Array(ref("DeadLetterOutlook")),
    more: Type.Boolean({ description: "whether there are more matching letters" }),
    next_cursor: nextCursor,
  }),
};

const either = (description: string, ...names: readonly string[]) => ({
  description,
  content: { "application/json": { schema: Type.Union(names.map((name) => ref(name))) } },
});

const common = { tags: ["dead letters"], security: withKey };
const failures = {
  ...anyKeyProblems,
  503: problems("Problem", "the broker is away, or too many requests read at once; see Retry-After"),
};
const oneProblems = {
  400: problems("Problem", "the number is invalid, or a parameter is unknown"),
  404: problems("Problem", "the letter does not exist, or no longer does"),
  ...failures,
};
const params = Type.Object({ seq });
const filter = {
  reason: Type.Optional(oneOf(...deadReasons)),
  step: Type.Optional(
    Type.String({ pattern: TOKEN_PATTERN, description: "the name of a step, such as currency" }),
  ),
  client_id: clientParameter(TOKEN_PATTERN),
};
const dryRun = {
  dry_run: flag("send nothing, report what would pass now"),
};
/** Letters of a bulk replay by default; also the maximum of a dry run. */
export const defaultReplayed = 1_000;
const many = parameters({
  ...filter,
  limit: limitParameter(defaultReplayed, 10_000),
  cursor: numberCursor,
  ...dryRun,
});

/** What the description says of the routes. */
export const deadLetterSchemas = {
  list: {
    ...common,
    operationId: "listDeadLetters",
    summary: "List dead letters",
    description: "Newest first; an operator's key lists all clients' letters, another key its own client's.",
    querystring: parameters({
      ...filter,
      limit: limitParameter(),
      cursor: numberCursor,
      groups: flag("also count all matching letters by reason, step and client; reads every letter"),
    }),
    response: {
      200: json("DeadLetterPage", "a page of letters"),
      400: problems("Problem", "a parameter is wrong or unknown"),
      ...failures,
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
    summary: "Replay a dead letter",
    description:
      "Sends the payload, or the one in the body, to where it failed, with the same client, source and id, and " +
      "removes the letter. An event that fails again becomes another letter, with a higher count of replays.",
    params,
    querystring: parameters(dryRun),
    body: {
      content: {
        "application/json": { schema: Type.Object({}, { description: "the corrected event; optional" }) },
      },
    },
    response: {
      200: either("it was sent; or the result of a dry run", "Replayed", "DeadLetterOutlook"),
      ...oneProblems,
      400: problems(
        "Problem",
        "the number is invalid, a parameter is wrong or unknown, or the payload in the body would fail: see `because`",
      ),
      409: problems("Problem", "the letter cannot be replayed"),
      ...bodyProblems("1 MiB"),
    },
  },
  replayMany: {
    ...common,
    ...optionalBody,
    operationId: "replayDeadLetters",
    summary: "Replay all matching dead letters",
    description:
      "Oldest first, at most `limit`, for at most 20 s. Parameters are in the query or in the body.",
    querystring: many,
    body: { content: { "application/json": { schema: many } } },
    response: {
      200: either("the results; or those of a dry run", "ReplayedMany", "DeadLetterOutlooks"),
      400: problems("Problem", "a parameter is wrong or unknown"),
      ...failures,
      ...bodyProblems("1 MiB"),
    },
  },
  discard: {
    ...common,
    operationId: "discardDeadLetter",
    summary: "Discard a dead letter for good",
    params,
    response: { 204: Type.Null({ description: "it was discarded" }), ...oneProblems },
  },
} as const;
