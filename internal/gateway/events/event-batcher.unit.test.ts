import { expect, test } from "vitest";
import { IngestBuffer } from "../../jetstream/ingest-buffer.ts";
import { PublishError, tooLarge } from "../../jetstream/pub-ack.ts";
import type { OnSettled, Outgoing } from "../../jetstream/publisher.ts";
import type { RawSender } from "../../messages/raw-message.ts";
import { EventBatcher } from "./event-batcher.ts";

interface Sent {
  readonly message: Outgoing;
  readonly settle: OnSettled;
}

function batcherOf({ bundles = true, maxEvents = 1_000_000, maxPayload = 2 ** 20 } = {}) {
  const sent: Sent[] = [];
  const buffer = new IngestBuffer({
    publisher: { maxPayload, send: (message, settle) => void sent.push({ message, settle }) },
    maxEvents,
  });
  return { batcher: new EventBatcher({ buffer, bundles: () => bundles }), sent };
}

const till: RawSender = { client: "casino", source: "till-1" };
const stored = { stream: "CASINO_RAW", seq: 1, duplicate: false };
const turn = () => new Promise((resolve) => setImmediate(resolve));
const payloads = (sent: readonly Sent[]) => sent.map(({ message }) => message.payload.toString());
const ignore = () => undefined;

test("what one sender adds within a turn travels together, what comes from another or later does not", async () => {
  const { batcher, sent } = batcherOf();
  batcher.add(till, "1", ignore);
  await Promise.resolve();
  batcher.add({ ...till, source: "till-2" }, "2", ignore);
  batcher.add({ ...till }, "3", ignore);
  batcher.add({ ...till, client: "other" }, "4", ignore);
  batcher.add(
    { ...till, traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
    "5",
    ignore,
  );
  expect(sent).toEqual([]);
  await turn();
  batcher.add(till, "6", ignore);
  await turn();
  expect(payloads(sent)).toEqual(["1\n3", "2", "4", "5", "6"]);
});

test("each is told what became of its message", async () => {
  const { batcher, sent } = batcherOf();
  const told: unknown[] = [];
  for (const event of ["1", "2"]) batcher.add(till, event, (outcome) => void told.push([event, outcome]));
  await turn();
  expect(told).toEqual([]);
  sent[0]?.settle(stored);
  expect(told).toEqual([
    ["1", stored],
    ["2", stored],
  ]);
});

test("a message of several that turns out too large is sent event by event", async () => {
  const { batcher, sent } = batcherOf();
  const told: unknown[] = [];
  for (const event of ["1", "2"]) batcher.add(till, event, (outcome) => void told.push([event, outcome]));
  await turn();
  const refusal = new PublishError("too large", tooLarge);
  sent[0]?.settle(refusal);
  expect(told).toEqual([]);
  expect(payloads(sent)).toEqual(["1\n2", "1", "2"]);
  sent[1]?.settle(refusal);
  sent[2]?.settle(stored);
  expect(told).toEqual([
    ["1", refusal],
    ["2", stored],
  ]);
});

test("events go at once, each by itself, where several may not travel together", () => {
  const { batcher, sent } = batcherOf({ bundles: false });
  for (const event of ["1", "2"]) batcher.add(till, event, ignore);
  expect(payloads(sent)).toEqual(["1", "2"]);
});

test("a thousand go at once, without the end of the turn", () => {
  const { batcher, sent } = batcherOf();
  for (let id = 0; id < 1_001; id++) batcher.add(till, String(id), ignore);
  expect(payloads(sent).map((text) => text.split("\n").length)).toEqual([1_000]);
});

test("what was added counts before it is sent, and goes before anybody waits for room", async () => {
  const { batcher, sent } = batcherOf({ maxEvents: 2 });
  for (const event of ["1", "2"]) {
    expect(batcher.hasRoom).toBe(true);
    batcher.add(till, event, ignore);
  }
  expect(batcher.hasRoom).toBe(false);
  const room = batcher.room(new AbortController().signal);
  expect(payloads(sent)).toEqual(["1\n2"]);
  sent[0]?.settle(stored);
  expect(await room).toBe(true);
});
