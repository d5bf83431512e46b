import { expect, test } from "vitest";
import { waitFor } from "../../test/harness/wait-for.ts";
import { IngestBuffer } from "./ingest-buffer.ts";
import { PublishError } from "./pub-ack.ts";
import type { OnSettled, Outgoing } from "./publisher.ts";
import { OutgoingHeaders } from "./wire-headers.ts";

const message = (bytes: number): Outgoing => ({
  subject: "any",
  payload: Buffer.alloc(bytes),
  headers: new OutgoingHeaders(),
});

function bufferOf(limits: { maxEvents?: number; maxBytes?: number; stallMs?: number }) {
  const unsettled: OnSettled[] = [];
  const buffer = new IngestBuffer({
    publisher: { maxPayload: 2 ** 20, send: (_message, onSettled) => void unsettled.push(onSettled) },
    ...limits,
  });
  const settle = () => unsettled.shift()?.({ stream: "s", seq: 1, duplicate: false });
  return { buffer, settle };
}

const never = new AbortController().signal;

test.each([
  ["events", { maxEvents: 2 }, 1],
  ["bytes", { maxBytes: 2_000 }, 1_000],
])("has room for so many %s, and again for each that is settled", async (_what, limits, size) => {
  const { buffer, settle } = bufferOf(limits);
  for (let i = 0; i < 2; i++) {
    expect(buffer.hasRoom).toBe(true);
    buffer.send(message(size), () => undefined);
  }
  expect(buffer.hasRoom).toBe(false);
  const taken: number[] = [];
  const waiting = [1, 2].map(async (id) => {
    expect(await buffer.room(never)).toBe(true);
    taken.push(id);
    buffer.send(message(size), () => undefined);
  });
  settle();
  await waiting[0];
  expect(taken).toEqual([1]);
  settle();
  await waiting[1];
  expect(taken).toEqual([1, 2]);
});

test("counts the events of a message, and those that are still to be sent", async () => {
  const { buffer, settle } = bufferOf({ maxEvents: 10, maxBytes: 100 });
  buffer.send(message(50), () => undefined, 6);
  expect(buffer.hasRoomBeside(3, 49)).toBe(true);
  expect(buffer.hasRoomBeside(4, 0)).toBe(false);
  expect(buffer.hasRoomBeside(0, 50)).toBe(false);
  buffer.send(message(1), () => undefined, 4);
  const room = buffer.room(never);
  expect(buffer.hasRoom).toBe(false);
  settle();
  expect(await room).toBe(true);
});

test("is empty when everything was settled", async () => {
  const { buffer, settle } = bufferOf({});
  await buffer.empty();
  const order: string[] = [];
  for (const id of ["first", "second"]) buffer.send(message(1), () => void order.push(id));
  const empty = buffer.empty().then(() => order.push("empty"));
  settle();
  await buffer.room(never);
  settle();
  await empty;
  expect(order).toEqual(["first", "second", "empty"]);
});

test("whoever is woken and sends nothing does not keep the next one asleep", async () => {
  const { buffer, settle } = bufferOf({ maxEvents: 1 });
  buffer.send(message(1), () => undefined);
  const waiting = [buffer.room(never), buffer.room(never), buffer.room(never)];
  settle();
  expect(await Promise.all(waiting)).toEqual([true, true, true]);
});

test("while nothing is settled nobody waits in vain, but for the first moment", async () => {
  const { buffer, settle } = bufferOf({ maxEvents: 1, stallMs: 100 });
  buffer.send(message(1), () => undefined);
  const patient = buffer.room(never);
  await waitFor(async () => (await buffer.room(AbortSignal.timeout(10))) === false);
  await waitFor(async () => {
    const began = performance.now();
    return (await buffer.room(AbortSignal.timeout(5_000))) === false && performance.now() - began < 1_000;
  });
  settle();
  expect(await patient).toBe(true);
  buffer.send(message(1), () => undefined);
  const next = buffer.room(never);
  settle();
  expect(await next).toBe(true);
});

test("whoever gives up waiting is told so, and leaves nothing behind", async () => {
  const { buffer, settle } = bufferOf({ maxEvents: 1 });
  buffer.send(message(1), () => undefined);
  const patience = new AbortController();
  const waiting = buffer.room(patience.signal);
  patience.abort();
  expect(await waiting).toBe(false);
  expect(await buffer.room(patience.signal)).toBe(false);
  settle();
  expect(await buffer.room(patience.signal)).toBe(true);
});

test.each([
  ["maximum messages exceeded", /^the queue of raw events was full .* start enrichers$/],
  ["no space left on device", /^the server could not write .* \(no space left on device\): look at its disk/],
])("warns of a stream that refuses with %s", (why, warning) => {
  const settling: OnSettled[] = [];
  const buffer = new IngestBuffer({
    publisher: { maxPayload: 2 ** 20, send: (_message, onSettled) => void settling.push(onSettled) },
  });
  expect(buffer.warnings).toEqual([]);
  buffer.send({ ...message(1), subject: "casino.event.raw.casino" }, () => undefined);
  settling[0]?.(new PublishError(why, 10077));
  expect(buffer.warnings).toEqual([expect.stringMatching(warning)]);
});
