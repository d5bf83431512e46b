import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { tempFolder } from "../../test/harness/temp-folder.ts";
import { decodeRaw } from "../casino/decode.ts";
import { decodeRawProtobuf, parseProtobufEvents } from "./decode.ts";
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

  test("with data that is no JSON, or nested without end, is refused", () => {
    const nested = (levels: number): Uint8Array => {
      let data: { [key: string]: never } | object = {};
      for (let i = 1; i < levels; i++) data = { a: data };
      return encode({ id: 1n, type: "note", createdAt, data: data as Record<string, never> }); // any JSON object will do
    };
    expect(decodeRawProtobuf(nested(64), anyData).ok).toBe(true);
    for (const levels of [65, 90, 99]) expect(decodeRawProtobuf(nested(levels), anyData).ok).toBe(false);
  });

  test("that is none is refused, and nothing is thrown", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        decodeRawProtobuf(bytes, anyData);
        parseProtobufEvents(bytes);
      }),
      { numRuns: 2_000 },
    );
    expect(decodeRawProtobuf(Buffer.from("{}"))).toEqual({
      ok: false,
      reason: "invalid_event",
      errors: [{ path: "", message: "must be a protobuf Event" }],
    });
    const valid = encode(bet);
    expect(decodeRawProtobuf(valid.subarray(0, valid.length - 1)).ok).toBe(false);
  });
});

describe("a body", () => {
  const batch = (events: EventInit[]) => toBinary(EventBatchSchema, create(EventBatchSchema, { events }));

  test("is one Event or an EventBatch, told apart by its bytes", () => {
    expect(parseProtobufEvents(encode(bet))).toMatchObject([{ id: 1, type: "bet" }]);
    expect(parseProtobufEvents(batch([bet]))).toMatchObject([{ id: 1, type: "bet" }]);
    expect(parseProtobufEvents(batch([bet, {}, { ...bet, id: 2n }]))).toMatchObject([
      { id: 1 },
      {},
      { id: 2 },
    ]);
    expect(parseProtobufEvents(Buffer.from([0xff]))).toBeUndefined();
  });

  test("that is cut is none", () => {
    const whole = batch([bet, bet]);
    expect(parseProtobufEvents(whole.subarray(0, whole.length - 1))).toBeUndefined();
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
