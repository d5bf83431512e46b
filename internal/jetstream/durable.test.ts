import { RetentionPolicy } from "@nats-io/jetstream";
import { expect, test } from "vitest";
import { silent, streamsForTest } from "../../test/harness/broker.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { type Durable, ensureDurable } from "./durable.ts";
import { Mailbox } from "./mailbox.ts";

const { nc, jsm } = await streamsForTest();

async function queue(): Promise<Durable> {
  await jsm.streams.add({ name: "QUEUE", subjects: ["queue.*"], retention: RetentionPolicy.Workqueue });
  return { stream: "QUEUE", name: "reader", filter: "queue.*", maxAckPending: 100 };
}

test("it is made once and brought to its configuration", async () => {
  const durable = await queue();
  await Promise.all(Array.from({ length: 5 }, () => ensureDurable(nc, durable)));
  await ensureDurable(nc, { ...durable, maxAckPending: 200, description: "reads" });
  const { config } = await jsm.consumers.info("QUEUE", "reader");
  expect(config).toMatchObject({
    ack_policy: "explicit",
    max_ack_pending: 200,
    description: "reads",
    max_deliver: -1,
    ack_wait: 5e9,
  });
});

test("it takes the place of a former reader, and gets what that one left", async () => {
  const durable = await queue();
  const former = await Mailbox.open(nc, { durable: { ...durable, name: "former" }, log: silent });
  await nc.publish("queue.a", "1");
  await former.take();
  await former.stop();
  former.close();
  await waitFor(async () => (await jsm.consumers.info("QUEUE", "former")).num_waiting === 0);

  const mailbox = await Mailbox.open(nc, { durable, log: silent });
  const [delivery] = (await mailbox.take()) ?? [];
  expect(delivery && Buffer.from(delivery.data).toString()).toBe("1");
  await mailbox.stop();
  mailbox.close();
  expect((await jsm.streams.info("QUEUE")).state.consumer_count).toBe(1);
});

test("a reader that is at work keeps its place", async () => {
  const durable = await queue();
  const former = await Mailbox.open(nc, { durable: { ...durable, name: "former" }, log: silent });
  await waitFor(async () => (await jsm.consumers.info("QUEUE", "former")).num_waiting > 0);
  await expect(ensureDurable(nc, durable)).rejects.toThrow(
    "consumer reader of QUEUE cannot be created: former still reads it; stop the enrichers of the other version first",
  );
  await former.stop();
  former.close();
});
