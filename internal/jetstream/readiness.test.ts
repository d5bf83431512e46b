import { nanos } from "nats";
import { expect, test } from "vitest";
import { brokerForTest } from "../../test/harness/broker.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { type Durable, ensureDurable } from "./durable.ts";
import { lagWithinRetention } from "./readiness.ts";

const { nc, jsm } = await brokerForTest();

/** A log with these limits, and a reader of it. */
async function log(name: string, limits: { readonly max_age?: number; readonly max_bytes?: number }) {
  await jsm.streams.add({ name, subjects: [`${name}.*`], ...limits });
  const reader: Durable = { stream: name, name: "reader", filter: `${name}.*`, maxAckPending: 1_000 };
  await ensureDurable(nc, reader);
  const check = lagWithinRetention(nc, reader);
  const store = async (count: number, bytes: number) => {
    for (let i = 0; i < count; i++) await jsm.jetstream().publish(`${name}.x`, new Uint8Array(bytes));
  };
  const read = async (count: number) => {
    const consumer = await jsm.jetstream().consumers.get(name, "reader");
    for await (const message of await consumer.fetch({ max_messages: count })) await message.ackAck();
  };
  return { store, read, lag: async () => check(AbortSignal.timeout(2_000)) };
}

test("a reader that is behind by more than half of the log's bytes is named, with what to do", async () => {
  const { store, read, lag } = await log("BYTES", { max_bytes: 100_000 });
  expect(await lag()).toBeUndefined();
  await store(40, 1_000);
  expect(await lag()).toBeUndefined();
  await store(20, 1_000);
  expect(await lag()).toMatch(
    /^reader is 60 events behind, about 6\d{4} bytes, and BYTES drops its oldest beyond 100000 bytes: .* EVENTS_MAX_BYTES$/,
  );
  await read(30);
  expect(await lag()).toBeUndefined();
});

test("a reader that is behind by more than half of the log's age is named, also for one event that it holds", async () => {
  const { store, read, lag } = await log("AGE", { max_age: nanos(4_000) });
  await store(3, 10);
  expect(await lag()).toBeUndefined();
  const said = await waitFor(lag);
  expect(said).toMatch(
    /^reader is 3 events behind, the oldest of them 2 s old, and AGE drops its oldest beyond 4 s: /,
  );
  await read(3);
  expect(await lag()).toBeUndefined();
});

test("a log without limits has no half", async () => {
  const { store, lag } = await log("ENDLESS", {});
  await store(10, 10);
  expect(await lag()).toBeUndefined();
});
