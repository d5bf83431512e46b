import { create, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { type Enclosed, mediaTypeOf } from "../messages/enclosed.ts";
import { protobufEvents } from "../protobuf/decode.ts";
import { EventSchema } from "../protobuf/event_pb.ts";
import { decoder, type EventTypes } from "./decoding.ts";

const none: EventTypes = { decode: (_client, read) => read(() => undefined) };
const decode = decoder("raw", { types: none, other: protobufEvents, maxAheadMs: 86_400_000 });
/** As of a message that was accepted at this time. */
const decodeRaw = (payload: Uint8Array, client: string, type: string, at = "2022-01-10T12:35:00Z") =>
  decode(enclosed(payload, client, type, at));

const enclosed = (bytes: Uint8Array, client: string, type: string, at: string): Enclosed => ({
  envelope: { client, source: "crm", traceparent: "", accepted: `1 ${Date.parse(at)}` },
  mediaType: mediaTypeOf(type),
  bytes,
  isWhole: true,
});

const json = Buffer.from(
  '{"id":7,"type":"deposit","player_id":10,"amount":500,"currency":"USD","created_at":"2022-01-10T12:34:56Z"}',
);
const binary = toBinary(
  EventSchema,
  create(EventSchema, {
    id: 7n,
    type: "deposit",
    playerId: 10n,
    amount: 500n,
    currency: "USD",
    createdAt: { seconds: 1_641_818_096n, nanos: 0 },
  }),
);

test.each(["application/x-protobuf", "Application/X-Protobuf; charset=none"])(
  "a raw message of type %s is protobuf",
  (type) => {
    expect(decodeRaw(binary, "casino", type)).toEqual(decodeRaw(json, "casino", ""));
    expect(decodeRaw(binary, "casino", type)).toMatchObject({ ok: true, event: { id: 7, amount: 500 } });
    expect(decodeRaw(json, "casino", type)).toMatchObject({ ok: false, reason: "invalid_event" });
  },
);

test.each(["", "application/json", "text/plain"])("a raw message of type '%s' is JSON", (type) => {
  expect(decodeRaw(json, "casino", type)).toMatchObject({ ok: true });
  expect(decodeRaw(binary, "casino", type)).toMatchObject({ ok: false, reason: "invalid_json" });
});

test("later stages take any custom type, whose data was checked before, and know no protobuf", () => {
  const custom = Buffer.from(
    '{"id":1,"type":"gone","created_at":"2022-01-10T12:34:56.000Z","data":{"any":1}}',
  );
  const decodeLater = decoder("priced", { types: none, other: protobufEvents, maxAheadMs: 86_400_000 });
  const now = "2022-01-10T12:34:56Z";
  const expected = { ok: true, event: { data: { any: 1 } } };
  expect(decodeLater(enclosed(custom, "casino", "", now))).toMatchObject(expected);
  const { bytes: _, ...parsed } = enclosed(custom, "casino", "", now);
  expect(decodeLater({ ...parsed, value: JSON.parse(String(custom)) })).toMatchObject(expected);
  expect(decodeRaw(custom, "casino", "")).toMatchObject({ ok: false, reason: "unknown_type" });
  expect(decodeLater(enclosed(binary, "casino", "application/x-protobuf", now))).toMatchObject({
    ok: false,
    reason: "invalid_json",
  });
});

test("a raw event may be dated a day after its acceptance, not more, in either form", () => {
  for (const [payload, type] of [
    [json, ""],
    [binary, "application/x-protobuf"],
  ] as const) {
    expect(decodeRaw(payload, "casino", type, "2022-01-09T12:34:56Z")).toMatchObject({ ok: true });
    expect(decodeRaw(payload, "casino", type, "2022-01-09T12:34:55Z")).toMatchObject({
      ok: false,
      reason: "invalid_event",
      errors: [{ path: "/created_at" }],
    });
  }
});
