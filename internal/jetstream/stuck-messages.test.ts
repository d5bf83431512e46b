import { nanos } from "nats";
import { afterEach, expect, test } from "vitest";
import { brokerForTest, defaultLimits, silent } from "../../test/harness/broker.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { apartDurable, apartStream, apartSubject } from "../messages/subjects.ts";
import { type Durable, ensureDurable } from "./durable.ts";
import { findStuck, StuckMessagesWatch } from "./stuck-messages.ts";
import { ensureStreams } from "./topology.ts";

const { nc, jsm } = await brokerForTest();
const durable: Durable = {
  stream: "CASINO_RAW",
  name: "currency",
  filter: "casino.event.raw.*",
  maxAckPending: 100,
};
await ensureStreams(nc, ["raw"], defaultLimits);

let watch: StuckMessagesWatch | undefined;
afterEach(() => watch?.close());

test("a consumer that is gone is made anew, though nobody pulls who would be told", async () => {
  await ensureDurable(nc, durable);
  watch = new StuckMessagesWatch(nc, durable, silent, 20);
  await jsm.consumers.delete("CASINO_RAW", "currency");
  const again = await waitFor(() => jsm.consumers.info("CASINO_RAW", "currency"));
  expect(again.config).toMatchObject({ max_ack_pending: 100, max_deliver: -1 });
  expect(watch.problem).toBeUndefined();
});

test("what waits apart for another step is no message that its consumer should have", async () => {
  await ensureStreams(nc, ["apart"], defaultLimits);
  const mailbox = (step: string): Durable => ({
    ...{ stream: apartStream, name: apartDurable(step), filter: apartSubject(step, "*"), maxAckPending: 100 },
  });
  for (const step of ["currency", "player"]) await ensureDurable(nc, mailbox(step));
  await jsm.jetstream().publish(apartSubject("player", "casino"));
  const looked: unknown[] = [];
  for (let look = 0; look < 3; look++) looked.push(await findStuck(nc, mailbox("currency")));
  expect(looked).toEqual([undefined, undefined, undefined]);
  expect(await findStuck(nc, mailbox("player"))).toBeUndefined();

  // But its own message is stuck, once it will not be delivered again.
  await jsm.consumers.update(apartStream, apartDurable("player"), { max_deliver: 1, ack_wait: nanos(50) });
  const consumer = await jsm.jetstream().consumers.get(apartStream, apartDurable("player"));
  // The second finds that it may not be delivered again.
  for (let pulls = 0; pulls < 2; pulls++) await consumer.next({ expires: 1_000 });
  await waitFor(() => findStuck(nc, mailbox("player")));
  expect(await findStuck(nc, mailbox("currency"))).toBeUndefined();
});
