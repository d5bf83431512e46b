import { describe, expect, test } from "vitest";
import { ReceivedHeaders } from "../jetstream/wire-headers.ts";
import { bundleLine, bundleMessage, readBundleLine } from "./bundle.ts";
import type { Envelope } from "./envelope.ts";
import { linesOf } from "./raw-message.ts";

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const plain: Envelope = { client: "casino", source: "crm", traceparent };
const full: Envelope = {
  ...plain,
  rate: { value: "1.0684", at: "2026-01-01T00:00:00.000Z" },
  replays: "2",
  accepted: "41.3/20 1641817000123",
};

describe("a bundle", () => {
  test("is read as it was written, each event with its envelope", () => {
    const lines = [bundleLine(plain, '{"id":1}'), bundleLine(full, '{"id":2,"data":"a\\nb"}')];
    const message = bundleMessage("priced", lines, [undefined, full.accepted], "worker:1");
    expect(message.subject).toBe("casino.event.priced._.bundle");
    const headers = ReceivedHeaders.from(message.headers);
    expect([...headers.entries()]).toEqual([
      ["Nats-Msg-Id", "worker:1"],
      ["Content-Type", "application/x-ndjson"],
      ["Casino-Count", "2"],
      ["Casino-Accepted", "41.3/20"],
    ]);
    const read = linesOf(Buffer.from(message.payload), 256).map(readBundleLine);
    expect(read).toEqual([
      { envelope: plain, event: { id: 1 } },
      { envelope: full, event: { id: 2, data: "a\nb" } },
    ]);
  });

  test("has the keys of its lines in their order, absent ones left out", () => {
    expect(JSON.parse(bundleLine(full, "{}"))).toEqual({
      client: "casino",
      source: "crm",
      accepted: "41.3/20 1641817000123",
      traceparent,
      rate: "1.0684",
      rate_at: "2026-01-01T00:00:00.000Z",
      replays: "2",
      event: {},
    });
    expect(bundleLine(plain, "{}")).toBe(
      `{"client":"casino","source":"crm","traceparent":"${traceparent}","event":{}}\n`,
    );
  });

  test.each([
    ["nonsense", "The line is not JSON."],
    ["[]", "The line is not a JSON object."],
    ["{}", "/client is not a client's name."],
    ['{"client":"_","source":"crm","event":{}}', "/client is not a client's name."],
    ['{"client":"casino","event":{}}', "/source is not a source's name."],
  ])("has no line such as %s", (line, why) => expect(readBundleLine(Buffer.from(line))).toBe(why));

  test("has no envelope but what can be one", () => {
    const line = {
      client: "casino",
      source: "crm",
      accepted: "x",
      traceparent: "x",
      rate: "-1",
      rate_at: "x",
      replays: "many",
    };
    expect(readBundleLine(Buffer.from(JSON.stringify(line)))).toEqual({
      envelope: { client: "casino", source: "crm", traceparent: expect.stringMatching(/^00-[0-9a-f]{32}/) },
      event: undefined,
    });
  });
});
