import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { anyCustom, anyEvent } from "../../internal/casino/event.arbitrary.ts";
import { anythingType, type Envelope } from "./expectation.ts";

const corpusFolder = join(import.meta.dirname, "../corpus");

/** Payloads that were, or might have been, trouble, byte for byte by name. Whatever a run finds belongs here. */
const corpus = new Map(
  readdirSync(corpusFolder)
    .filter((name) => name.endsWith(".raw"))
    .sort()
    .map((name) => [name, readFileSync(join(corpusFolder, name))] as const),
);
const seeds = [...corpus.values()];
const inProtobuf = [...corpus].filter(([name]) => name.startsWith("protobuf-")).map(([, bytes]) => bytes);

/** A message to be published, with its headers as bytes; undefined = none. */
export interface FuzzMessage {
  readonly envelope: Envelope;
  readonly headers: Uint8Array | undefined;
  readonly payload: Uint8Array;
}

const interesting = [
  ...['"', "\\", "{", "}", "[", "]", ":", ",", " ", "\n", "\0", "\x7f", "\u00e9", "\u2028", "\ufeff"],
  ...["null", "true", "-0", "0", "1e400", "-1", "0.1", "1e-7", "9007199254740991", "9007199254740992"],
  ...['"__proto__":', '"id":', '"type":"bet",', '"amount":', "\\u0000", "\\ud800", "\\u002e", '"":{}'],
  ...["EUR", "2022-02-30T00:00:00Z", "+00", ".5", "00"],
].map((text) => Buffer.from(text));

/** One change of bytes, at a place given as a share of the length. */
const anyChange = fc.oneof(
  fc.record({ kind: fc.constant("flip" as const), at: fc.double({ min: 0, max: 1 }), bit: fc.nat(7) }),
  fc.record({ kind: fc.constant("byte" as const), at: fc.double({ min: 0, max: 1 }), byte: fc.nat(255) }),
  fc.record({
    kind: fc.constant("insert" as const),
    at: fc.double({ min: 0, max: 1 }),
    bytes: fc.constantFrom(...interesting),
  }),
  fc.record({ kind: fc.constant("cut" as const), at: fc.double({ min: 0, max: 1 }), length: fc.nat(12) }),
  fc.record({ kind: fc.constant("twice" as const), at: fc.double({ min: 0, max: 1 }), length: fc.nat(40) }),
  fc.record({
    kind: fc.constant("splice" as const),
    at: fc.double({ min: 0, max: 1 }),
    bytes: fc.constantFrom(...seeds),
  }),
);
type Change = typeof anyChange extends fc.Arbitrary<infer T> ? T : never;

function change(bytes: Buffer, it: Change): Buffer {
  const at = Math.floor(it.at * bytes.length);
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
  switch (it.kind) {
    case "flip":
      return Buffer.concat([before, Buffer.from([(after[0] ?? 0) ^ (1 << it.bit)]), after.subarray(1)]);
    case "byte":
      return Buffer.concat([before, Buffer.from([it.byte]), after.subarray(1)]);
    case "insert":
      return Buffer.concat([before, it.bytes, after]);
    case "cut":
      return Buffer.concat([before, after.subarray(it.length)]);
    case "twice":
      return Buffer.concat([before, after.subarray(0, it.length), after]);
    case "splice":
      return Buffer.concat([before, it.bytes.subarray(Math.floor(it.at * it.bytes.length))]);
  }
}

const mutated = (these: readonly Buffer[]) =>
  fc
    .tuple(fc.constantFrom(...these), fc.array(anyChange, { maxLength: 4 }))
    .map(([seed, changes]) => changes.reduce(change, seed));

const ours = fc.constantFrom("EUR", "USD", "GBP", "BTC");
/** Mostly in currencies that have a rate, and of types that are registered, so that most of them are good. */
const event = fc
  .oneof(
    { weight: 5, arbitrary: fc.tuple(anyEvent, ours) },
    { weight: 1, arbitrary: fc.tuple(anyCustom, ours) },
  )
  .map(([made, currency]): Record<string, unknown> => {
    if ("data" in made) return { ...made, type: anythingType };
    return "currency" in made && made.currency !== "KWD" ? { ...made, currency } : { ...made };
  });
const odd = fc.oneof(
  fc.jsonValue({ stringUnit: "binary" }),
  fc.constantFrom<unknown>(
    0,
    -1,
    0.5,
    2 ** 53,
    "",
    "1",
    "jackpot",
    null,
    true,
    [],
    {},
    "2022-02-30T00:00:00Z",
  ),
);
const keys = [
  ...["id", "player_id", "game_id", "type", "amount", "currency", "has_won", "created_at", "data"],
  ...["player", "description", "amount_eur", "toString", "extra"],
];
const brokenEvent = fc
  .tuple(
    event,
    fc.dictionary(fc.constantFrom(...keys), odd, { minKeys: 1, maxKeys: 2 }),
    fc.subarray(keys, { maxLength: 1 }),
  )
  .map(([made, changes, gone]): Record<string, unknown> => {
    const broken: Record<string, unknown> = { ...made, ...changes };
    for (const key of gone) delete broken[key];
    return broken;
  });

/** The same value written in other ways that JSON allows. */
const written = (values: fc.Arbitrary<Record<string, unknown>>) =>
  fc
    .tuple(values, fc.constantFrom(undefined, 1, "\t"), fc.boolean(), fc.boolean())
    .map(([value, indent, backwards, twice]) => {
      const entries = Object.entries(value);
      const text = JSON.stringify(Object.fromEntries(backwards ? entries.reverse() : entries), null, indent);
      return Buffer.from(twice && entries.length > 0 ? `{"id":-1,${text.slice(1)}` : text);
    });

const several = fc.array(written(fc.oneof({ weight: 4, arbitrary: event }, brokenEvent)), { maxLength: 12 });
const array = several.map((events) => Buffer.from(`[${events.join(" ,")}]`));
/** Each on a line of its own, some blank. */
const lines = fc
  .array(
    fc.oneof(
      { weight: 9, arbitrary: fc.oneof({ weight: 4, arbitrary: event }, brokenEvent) },
      fc.constant(""),
    ),
    {
      maxLength: 12,
    },
  )
  .map((events) =>
    Buffer.from(events.map((made) => (made === "" ? " \t" : JSON.stringify(made))).join("\r\n")),
  );

const anyPayload = fc.oneof(
  { weight: 2, arbitrary: array },
  { weight: 1, arbitrary: array.chain((bytes) => mutated([bytes])) },
  { weight: 8, arbitrary: written(event) },
  { weight: 4, arbitrary: written(brokenEvent) },
  { weight: 7, arbitrary: mutated(seeds) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)) },
);

const anyClient = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom("casino", "acme-casino") },
  fc.constantFrom("stranger", "CASINO", "casino_1", "x".repeat(41), "ka\u00edno", "-", "0"),
);

const hex = (length: number) =>
  fc
    .array(fc.constantFrom(..."0123456789abcdef"), { minLength: length, maxLength: length })
    .map((d) => d.join(""));
const headerName = fc.oneof(
  fc.constantFrom(
    ...["casino-source", "Content-Type", "traceparent", "Casino-Rate", "Casino-Rate-At", "Casino-Accepted"],
    ...["Casino-Replays", "Casino-Dead-Step", "Casino-Dead-Reason", "Casino-Dead-Subject", "Status"],
    ...["X Y", "", " ", "\u00dcn\u00ef", "X-Long".repeat(300), "Nats-Expected-Stream", "NATS/1.0"],
  ),
  fc.string({ maxLength: 20 }),
);
const headerValue = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.constantFrom(
      ...["", " ", "application/json; charset=utf-8", "0", "1 1", "-1", "1.0684", "999999999", "\u00fc"],
    ),
  },
  { weight: 8, arbitrary: fc.tuple(hex(32), hex(16)).map(([trace, span]) => `00-${trace}-${span}-01`) },
  { weight: 8, arbitrary: fc.string({ maxLength: 60 }) },
  // Beyond what a dead letter keeps of its headers.
  { weight: 1, arbitrary: fc.constant("v".repeat(20_000)) },
);
const anyLine = fc
  .tuple(headerName, headerValue)
  .map(([name, value]) => `${name.replace(/[\r\n:]/g, "")}:${value.replace(/[\r\n]/g, "")}`);
const anySource = fc.oneof(
  { weight: 12, arbitrary: fc.constant("own" as const) },
  { weight: 2, arbitrary: fc.constant("absent" as const) },
  { weight: 1, arbitrary: fc.constantFrom("with space", "x".repeat(65), "\u00fcmlaut", "a/b", "*", "a:b") },
);
const anyHeaders = fc.oneof(
  {
    weight: 30,
    arbitrary: fc.record({
      source: anySource,
      contentType: fc.oneof(
        { weight: 30, arbitrary: fc.constant("") },
        fc.constantFrom("application/x-protobuf", "text/plain", ";", "application/json"),
      ),
      lines: fc.array(anyLine, { maxLength: 3 }),
    }),
  },
  // What no client library would send.
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }) },
  {
    weight: 1,
    arbitrary: fc
      .uint8Array({ maxLength: 60 })
      .map((bytes) => Buffer.concat([Buffer.from("NATS/1.0\r\n"), bytes])),
  },
);

const anyMessage = fc.oneof(
  { weight: 20, arbitrary: fc.record({ client: anyClient, payload: anyPayload, headers: anyHeaders }) },
  {
    weight: 1,
    arbitrary: fc.record({
      client: anyClient,
      payload: mutated(inProtobuf),
      headers: fc.record({
        source: anySource,
        contentType: fc.constantFrom("application/x-protobuf", "Application/X-Protobuf ;q=1"),
        lines: fc.array(anyLine, { maxLength: 1 }),
      }),
    }),
  },
);

const anyLines = fc.record({
  client: anyClient,
  payload: fc.oneof(
    { weight: 3, arbitrary: lines },
    lines.chain((bytes) => mutated([bytes])),
  ),
  headers: fc.record({
    source: anySource,
    contentType: fc.constantFrom("application/x-ndjson", "Application/X-NDJSON; charset=utf-8"),
    lines: fc.array(anyLine, { maxLength: 1 }),
  }),
});

/** `count` messages that are the same for the same seed. Sources are numbered, so that good events are no duplicates. */
export function fuzzMessages(seed: number, count: number): readonly FuzzMessage[] {
  const any = fc.oneof({ weight: 15, arbitrary: anyMessage }, anyLines);
  return fc.sample(any, { seed, numRuns: count }).map(({ client, payload, headers }, index) => {
    if (headers instanceof Uint8Array)
      return { envelope: { client, source: undefined, contentType: "" }, headers, payload };
    const source =
      headers.source === "own" ? `fuzz-${index}` : headers.source === "absent" ? "" : headers.source;
    const lines = [
      ...(source === "" ? [] : [`Casino-Source: ${source}`]),
      ...(headers.contentType === "" ? [] : [`Content-Type: ${headers.contentType}`]),
      ...headers.lines,
    ];
    const contentType = lines.find((line) => line.startsWith("Content-Type:")) ?? "";
    const block = Buffer.from(["NATS/1.0", ...lines, "", ""].join("\r\n"));
    const envelope = { client, source, contentType };
    return { envelope, headers: lines.length > 0 ? block : undefined, payload };
  });
}
