import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { tempFolder } from "../../test/harness/temp-folder.ts";
import { decodeRaw } from "../casino/decode.ts";
import { decodeRawProtobuf, protobufEventId, splitProtobufEvents } from "./decode.ts";
import { EventBatchSchema, EventSchema } from "./event_pb.ts";

type EventInit = MessageInitShape<typeof EventSchema>;
const encode = (event: EventInit): Uint8Array => toBinary(EventSchema, create(EventSchema, event));
const createdAt = { seconds: BigInt(Date.parse("2022-02-02T23:45:00Z") / 1_000), nanos: 123_999_999 };
const bet: EventInit = {
  id: 1n,
  playerId: 11n,
  gameId: 101n,
  type: "bet",
  amount: 500n,
  currency: "USD",
  hasWon: true,
  createdAt,
};
const anyData = () => () => [];

describe("an Event", () => {
  test("is read like the same event in JSON", () => {
    const json = {
      id: 1,
      player_id: 11,
      game_id: 101,
      type: "bet",
      amount: 500,
      currency: "USD",
      has_won: true,
      created_at: "2022-02-02T23:45:00.123Z",
    };
    expect(decodeRawProtobuf(encode(bet))).toEqual(decodeRaw(Buffer.from(JSON.stringify(json))));
    expect(decodeRawProtobuf(encode(bet)).ok).toBe(true);
  });

  test("without amount and win has none, as in JSON", () => {
    const { amount: _amount, hasWon: _hasWon, ...rest } = bet;
    expect(decodeRawProtobuf(encode(rest))).toMatchObject({ ok: true, event: { amount: 0, has_won: false } });
  });

  test("of a custom type carries its data", () => {
    const data = { text: "x", list: [1, 2.5, null, true], nested: { deep: {} } };
    const event = encode({ id: 1n, type: "note", createdAt, data });
    expect(
      decodeRawProtobuf(event, () => (given) => {
        expect(given).toEqual(data);
        return [];
      }),
    ).toMatchObject({ ok: true, event: { type: "note", data } });
  });

  test.each<[string, EventInit, string]>([
    ["an absent field", { ...bet, playerId: undefined }, "/player_id"],
    ["a zero id", { ...bet, id: 0n }, "/id"],
    ["an id beyond 2^53-1", { ...bet, id: 2n ** 53n }, "/id"],
    ["the largest int64", { ...bet, amount: 2n ** 63n - 1n }, "/amount"],
    ["a negative amount", { ...bet, amount: -1n }, "/amount"],
    [
      "a time after the year 9999",
      { ...bet, createdAt: { seconds: 253_402_300_800n, nanos: 0 } },
      "/created_at",
    ],
    ["a time that is none", { ...bet, createdAt: { seconds: 2n ** 62n, nanos: -1 } }, "/created_at"],
    ["nothing", {}, "/type"],
  ])("with %s is refused at its place", (_what, event, path) => {
    const decoded = decodeRawProtobuf(encode(event));
    expect(decoded).toMatchObject({ ok: false, reason: "invalid_event" });
    expect(decoded.ok ? [] : decoded.errors.map((error) => error.path)).toContain(path);
  });

  // What follows a valid deposit, byte by byte as protoscope writes it.
  const deposit = encode({ ...bet, type: "deposit" });
  test.each([
    ["amount as a wrapped Int64Value(30000)", "2a 04 08 b0 ea 01", "/amount", "must be an int64 on the wire"],
    ["amount as a fixed64", "29 30 75 00 00 00 00 00 00", "/amount", "must be an int64 on the wire"],
    ["amount as a fixed32", "2d 30 75 00 00", "/amount", "must be an int64 on the wire"],
    ["id as packed int64s", "0a 02 01 02", "/id", "must be an int64 on the wire"],
    ["id as a group", "0b 0c", "/id", "must be an int64 on the wire"],
    ["currency as a number", "30 07", "/currency", "must be a string on the wire"],
    ["has_won as a text", "3a 01 31", "/has_won", "must be a bool on the wire"],
    ["created_at as a number", "40 07", "/created_at", "must be a Timestamp on the wire"],
    ["created_at as a group", "43 08 07 44", "/created_at", "must be a Timestamp on the wire"],
    ["seconds as a text", "42 03 0a 01 31", "/created_at", "must be an int64 on the wire"],
    ["nanos as a fixed32", "42 05 15 01 00 00 00", "/created_at", "must be an int32 on the wire"],
    ["a timestamp longer than the event", "42 7f 08 07", "/created_at", "must not be cut off"],
    ["the fields of data as a number", "4a 02 08 07", "/data", "must be a map on the wire"],
    [
      "a key of data that is a number",
      "4a 04 0a 02 08 07",
      "/data",
      "must have keys of their type on the wire",
    ],
    [
      "a value of data that is a number",
      "4a 04 0a 02 10 07",
      "/data",
      "must have values of their type on the wire",
    ],
    ["a number of data as an integer", "4a 06 0a 04 12 02 10 07", "/data", "must be a double on the wire"],
    [
      "a value that reaches beyond its entry",
      "4a 04 0a 02 12 7f",
      "/data",
      "must not reach beyond the message around it",
    ],
  ])("with %s is refused at its place", (_what, more, path, message) => {
    const bytes = Buffer.concat([deposit, Buffer.from(more.replaceAll(" ", ""), "hex")]);
    expect(decodeRawProtobuf(bytes)).toEqual({
      ok: false,
      reason: "invalid_event",
      errors: [{ path, message }],
    });
    expect(protobufEventId(bytes)).toBeUndefined();
  });

  test.each([
    ["a number", "e8 07 01"],
    ["a text", "ea 07 01 41"],
    ["a group", "eb 07 08 01 ec 07"],
    ["eight bytes", "e9 07 00 00 00 00 00 00 00 00"],
  ])("with an unknown field of %s is taken without it", (_what, more) => {
    const bytes = Buffer.concat([deposit, Buffer.from(more.replaceAll(" ", ""), "hex")]);
    expect(decodeRawProtobuf(bytes)).toEqual(decodeRawProtobuf(deposit));
    expect(decodeRawProtobuf(bytes).ok).toBe(true);
  });

  test.each([
    [0n, -1],
    [0n, 1_000_000_000],
    [0n, 2_000_000_000],
    [-62_135_596_801n, 0],
    [253_402_300_800n, 0],
  ])("with a time of %s s and %s ns, which protobuf does not know, is refused", (seconds, nanos) => {
    expect(decodeRawProtobuf(encode({ ...bet, createdAt: { seconds, nanos } }))).toEqual({
      ok: false,
      reason: "invalid_event",
      errors: [{ path: "/created_at", message: "must be an existing RFC 3339 date-time" }],
    });
  });

  test.each([
    [-62_135_596_800n, 0, "0001-01-01T00:00:00.000Z"],
    [-1n, 999_999_999, "1969-12-31T23:59:59.999Z"],
    [253_402_300_799n, 999_999_999, "9999-12-31T23:59:59.999Z"],
  ])("with a time of %s s and %s ns is at that time", (seconds, nanos, created_at) => {
    expect(decodeRawProtobuf(encode({ ...bet, createdAt: { seconds, nanos } }))).toMatchObject({
      ok: true,
      event: { created_at },
    });
  });

  test("with data that is no JSON, or nested without end, is refused", () => {
    const nested = (levels: number): Uint8Array => {
      let data: { [key: string]: never } | object = {};
      for (let i = 1; i < levels; i++) data = { a: data };
      return encode({ id: 1n, type: "note", createdAt, data: data as Record<string, never> }); // any JSON object will do
    };
    expect(decodeRawProtobuf(nested(64), anyData).ok).toBe(true);
    for (const levels of [65, 90, 99]) expect(decodeRawProtobuf(nested(levels), anyData).ok).toBe(false);
  });

  test("glued to another, or to a batch, is refused: one of them would be lost", () => {
    const [one, two] = [encode(bet), encode({ ...bet, id: 2n })];
    const batch = toBinary(EventBatchSchema, create(EventBatchSchema, { events: [bet] }));
    expect(decodeRawProtobuf(Buffer.concat([one, two]))).toMatchObject({
      errors: [{ path: "/id", message: "must come once" }],
    });
    expect(decodeRawProtobuf(Buffer.concat([one, batch]))).toMatchObject({
      errors: [{ path: "", message: "must not have the field 16, which is reserved" }],
    });
    expect(splitProtobufEvents(Buffer.concat([batch, two]), 1_000)).toBeUndefined();
    expect(splitProtobufEvents(Buffer.concat([batch, batch]), 1_000)).toHaveLength(2);
  });

  test("that is none is refused, and nothing is thrown", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        decodeRawProtobuf(bytes, anyData);
        splitProtobufEvents(bytes, 1_000);
        protobufEventId(bytes);
      }),
      { numRuns: 2_000 },
    );
    expect(decodeRawProtobuf(Buffer.from("{}"))).toEqual({
      ok: false,
      reason: "invalid_event",
      errors: [{ path: "", message: "must be a whole protobuf Event" }],
    });
    const valid = encode(bet);
    expect(decodeRawProtobuf(valid.subarray(0, valid.length - 1)).ok).toBe(false);
  });
});

describe("a body", () => {
  const batch = (events: EventInit[]) => toBinary(EventBatchSchema, create(EventBatchSchema, { events }));

  const ids = (body: Uint8Array, most = 1_000) => splitProtobufEvents(body, most)?.map(protobufEventId);

  test("is one Event or an EventBatch, told apart by its bytes", () => {
    expect(ids(encode(bet))).toEqual([1]);
    expect(ids(batch([bet]))).toEqual([1]);
    expect(ids(batch([bet, {}, { ...bet, id: 2n }]))).toEqual([1, undefined, 2]);
    expect(ids(Buffer.from([0xff]))).toEqual([undefined]);
  });

  test("that is a batch cut off is none", () => {
    const whole = batch([bet, bet]);
    expect(ids(whole.subarray(0, whole.length - 1))).toBeUndefined();
  });

  test("of too many events is not split any further", () => {
    expect(ids(batch(Array.from({ length: 500 }, () => bet)), 3)).toHaveLength(4);
  });

  test("of a batch may hold one bad event, which is refused alone", () => {
    const good = encode(bet);
    const bad = Buffer.concat([good, Buffer.from("2a0408b0ea01", "hex")]);
    const body = Buffer.concat(
      [good, bad, good].flatMap((event) => [Buffer.from([0x82, 0x01, event.length]), event]),
    );
    const decoded = splitProtobufEvents(body, 1_000)?.map((event) => decodeRawProtobuf(event));
    expect(decoded?.map(({ ok }) => ok)).toEqual([true, false, true]);
  });
});

test("the code was generated from the proto file as it is", async () => {
  const proto = join(import.meta.dirname, "../../proto");
  const folder = tempFolder("proto");
  const template = (await readFile(join(proto, "buf.gen.yaml"), "utf8")).replace(
    "../internal/protobuf",
    folder,
  );
  await promisify(execFile)("npx", ["--no-install", "buf", "generate", "--template", template], {
    cwd: proto,
  });
  const [fresh, kept] = await Promise.all([
    readFile(join(folder, "event_pb.ts"), "utf8"),
    readFile(join(import.meta.dirname, "event_pb.ts"), "utf8"),
  ]);
  expect(descriptorOf(kept)).toBe(descriptorOf(fresh));
  expect(descriptorOf(kept)).toBeDefined();
});

/** The file's descriptor, which the formatter leaves alone. */
function descriptorOf(code: string): string | undefined {
  return /fileDesc\(\s*"([^"]+)"/.exec(code)?.[1];
}
