import { create, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { protobufEvents } from "../protobuf/decode.ts";
import { EventSchema } from "../protobuf/event_pb.ts";
import { decoder, type EventTypes } from "./decoding.ts";

const none: EventTypes = { decode: (_client, read) => read(() => undefined) };
const decodeRaw = decoder("raw", none, protobufEvents);

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
  const decodeLater = decoder("priced", none, protobufEvents);
  expect(decodeLater(custom, "casino", "")).toMatchObject({ ok: true, event: { data: { any: 1 } } });
  expect(decodeRaw(custom, "casino", "")).toMatchObject({ ok: false, reason: "unknown_type" });
  expect(decodeLater(binary, "casino", "application/x-protobuf")).toMatchObject({
    ok: false,
    reason: "invalid_json",
  });
});
