import { describe, expect, test } from "vitest";
import { ReceivedHeaders } from "../jetstream/wire-headers.ts";
import { mostEventsPerMessage } from "./accepted.ts";
import { type RawSender, rawMessages, splitRaw } from "./raw-message.ts";

const split = (payload: string | Uint8Array, mediaType = "") => {
  const events = splitRaw(Buffer.from(payload), mediaType);
  return "reason" in events ? events.reason : events.map((bytes) => Buffer.from(bytes).toString());
};
const ndjson = "application/x-ndjson";
const most = mostEventsPerMessage;

describe("the events of a raw message", () => {
  test.each<[string, string, readonly string[] | string]>([
    ['{"id":1}', "", ['{"id":1}']],
    ["nonsense", "", ["nonsense"]],
    ["", "", [""]],
    ['[{"id":1}, {"id":2} ]', "", ['{"id":1}', '{"id":2}']],
    ['[{"id":1},nonsense]', "application/json", ['{"id":1}', "nonsense"]],
    ["[]", "", "invalid_event"],
    ["[", "", "invalid_json"],
    ["[1,]", "", "invalid_json"],
    [' {"id":1}\r\n\n \t\n{"id":2}', ndjson, ['{"id":1}', '{"id":2}']],
    ["[1]\n[2]", ndjson, ["[1]", "[2]"]],
    ["", ndjson, "invalid_json"],
    ["\n \r\n", ndjson, "invalid_json"],
    // Without the type of its lines it is one text, and no JSON.
    ['{"id":1}\n{"id":2}', "", ['{"id":1}\n{"id":2}']],
  ])("%j as %j", (payload, mediaType, expected) => expect(split(payload, mediaType)).toEqual(expected));

  test("of an EventBatch in protobuf are its Events", () => {
    const batch = Buffer.from([0x82, 0x01, 0x02, 0x08, 0x07, 0x82, 0x01, 0x02, 0x08, 0x08]);
    expect(split(batch, "application/x-protobuf")).toEqual(["\x08\x07", "\x08\x08"]);
    expect(split(batch.subarray(0, 3), "application/x-protobuf")).toBe("invalid_event");
    expect(split(batch.subarray(0, 2), "application/octet-stream")).toHaveLength(1);
  });

  test("are a thousand at most, and no more are looked at", () => {
    expect(split(`[${Array(most).fill(1)}]`)).toHaveLength(most);
    expect(split(`[${Array(most + 1).fill(1)}]`)).toBe("too_large");
    expect(split("1\n".repeat(most), ndjson)).toHaveLength(most);
    expect(split("1\n".repeat(480_000), ndjson)).toBe("too_large");
    expect(split(`[${"1,".repeat(480_000)}`)).toBe("too_large");
  });
});

describe("the messages of a producer's events", () => {
  const sender = { client: "casino", source: "till-1" };
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const pack = (events: readonly string[], mostBytes = 2 ** 20, given: RawSender = sender) =>
    [...rawMessages(given, events, mostBytes)].map(({ message, events: count }) => ({
      ...message,
      count,
      headers: Object.fromEntries(ReceivedHeaders.from(message.headers).entries()),
    }));

  test("one travels as it is, several as lines; those of a message share a trace", () => {
    const headers = {
      "Casino-Source": "till-1",
      traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/),
    };
    const subject = "casino.event.raw.casino";
    expect(pack(['{"id":1}'])).toEqual([{ subject, payload: '{"id":1}', count: 1, headers }]);
    expect(pack(['{"id":1}', '{"id":2}'])).toEqual([
      {
        subject,
        payload: '{"id":1}\n{"id":2}',
        count: 2,
        headers: { ...headers, "Content-Type": "application/x-ndjson" },
      },
    ]);
    expect(pack([])).toEqual([]);
  });

  test("continue a trace that there is", () => {
    const [message] = pack(["1", "2"], 2 ** 20, { ...sender, traceparent });
    expect(message?.headers.traceparent).toBe(traceparent);
  });

  test("are as many as it takes, by number and by size, and hold each event once, in its order", () => {
    const events = Array.from({ length: 2 * most + 1 }, (_, id) => `{"id":${id}}`);
    const byNumber = pack(events);
    expect(byNumber.map(({ count }) => count)).toEqual([most, most, 1]);
    const bySize = pack(events, 1_024);
    expect(bySize.length).toBeGreaterThan(20);
    for (const { payload, headers } of bySize)
      expect(
        Buffer.byteLength(payload) +
          Object.entries(headers).reduce((sum, [name, value]) => sum + name.length + value.length + 4, 12),
      ).toBeLessThanOrEqual(1_024);
    for (const messages of [byNumber, bySize])
      expect(messages.flatMap(({ payload }) => payload.toString().split("\n"))).toEqual(events);
  });

  test("count bytes, not characters; what fits into none travels alone", () => {
    const events = ["ä".repeat(400), "ö".repeat(400), "ü".repeat(2_000), "x"];
    expect(pack(events, 1_500).map(({ count }) => count)).toEqual([1, 1, 1, 1]);
    expect(pack(events, 2_200).map(({ count }) => count)).toEqual([2, 1, 1]);
  });
});
