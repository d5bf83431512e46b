import { expect, test } from "vitest";
import { waitFor } from "../../test/harness/wait-for.ts";
import type { OnSettled, Outgoing } from "../jetstream/publisher.ts";
import { OutgoingHeaders } from "../jetstream/wire-headers.ts";
import { Outbox } from "./outbox.ts";

const message = (bytes: number): Outgoing => ({
  subject: "any",
  payload: Buffer.alloc(bytes),
  headers: new OutgoingHeaders(),
});

function outboxOf(limits: { maxMessages?: number; maxBytes?: number; stallMs?: number }) {
  const unsettled: OnSettled[] = [];
  const outbox = new Outbox({
    publisher: { send: (_message, onSettled) => void unsettled.push(onSettled) },
    ...limits,
  });
  const settle = () => unsettled.shift()?.({ stream: "s", seq: 1, duplicate: false });
  return { outbox, settle };
}

const never = new AbortController().signal;

test.each([
  ["messages", { maxMessages: 2 }, 1],
  ["bytes", { maxBytes: 2_000 }, 1_000],
])("has room for so many %s, and again for each that is settled", async (_what, limits, size) => {
  const { outbox, settle } = outboxOf(limits);
  for (let i = 0; i < 2; i++) {
    expect(outbox.hasRoom).toBe(true);
    outbox.send(message(size), () => undefined);
  }
  expect(outbox.hasRoom).toBe(false);
  const taken: number[] = [];
  const waiting = [1, 2].map(async (id) => {
    expect(await outbox.room(never)).toBe(true);
    taken.push(id);
    outbox.send(message(size), () => undefined);
  });
  settle();
  await waiting[0];
  expect(taken).toEqual([1]);
  settle();
  await waiting[1];
  expect(taken).toEqual([1, 2]);
});

test("whoever is woken and sends nothing does not keep the next one asleep", async () => {
  const { outbox, settle } = outboxOf({ maxMessages: 1 });
  outbox.send(message(1), () => undefined);
  const waiting = [outbox.room(never), outbox.room(never), outbox.room(never)];
  settle();
  expect(await Promise.all(waiting)).toEqual([true, true, true]);
});

test("while nothing is settled nobody waits in vain, but for the first moment", async () => {
  const { outbox, settle } = outboxOf({ maxMessages: 1, stallMs: 100 });
  outbox.send(message(1), () => undefined);
  const patient = outbox.room(never);
  await waitFor(async () => (await outbox.room(AbortSignal.timeout(10))) === false);
  await waitFor(async () => {
    const began = performance.now();
    return (await outbox.room(AbortSignal.timeout(5_000))) === false && performance.now() - began < 1_000;
  });
  settle();
  expect(await patient).toBe(true);
  outbox.send(message(1), () => undefined);
  const next = outbox.room(never);
  settle();
  expect(await next).toBe(true);
});

test("whoever gives up waiting is told so, and leaves nothing behind", async () => {
  const { outbox, settle } = outboxOf({ maxMessages: 1 });
  outbox.send(message(1), () => undefined);
  const patience = new AbortController();
  const waiting = outbox.room(patience.signal);
  patience.abort();
  expect(await waiting).toBe(false);
  expect(await outbox.room(patience.signal)).toBe(false);
  settle();
  expect(await outbox.room(patience.signal)).toBe(true);
});
