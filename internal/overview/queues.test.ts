import { AckPolicy, jetstream } from "@nats-io/jetstream";
import { expect, test } from "vitest";
import { defaultLimits, streamsForTest } from "../../test/harness/broker.ts";
import { ensureStreams } from "../jetstream/topology.ts";
import { buildPicture, waitingIn } from "./picture.ts";
import { QueueReader } from "./queues.ts";

const { nc, jsm } = await streamsForTest();
const layout = [{ name: "currency", takesFrom: "raw" }];

const durable = (durable_name: string) => ({ durable_name, ack_policy: AckPolicy.Explicit });

test("everything waits in a queue that no enricher has read yet, and then what its consumer has not delivered", async () => {
  await ensureStreams(nc, ["raw", "final"], defaultLimits);
  const reader = new QueueReader(nc, layout);
  const waiting = async () => waitingIn(buildPicture(layout, [], await reader.read()));
  expect(await waiting()).toBe(0);
  for (const body of ["1", "2", "3"]) await nc.request("casino.event.raw.casino", body);
  expect(await waiting()).toBe(3);

  await jsm.consumers.add("CASINO_RAW", durable("currency"));
  const consumer = await jetstream(nc).consumers.get("CASINO_RAW", "currency");
  expect((await consumer.next())?.string()).toBe("1");
  expect(await waiting()).toBe(2);
});

test("the consumers of a stream with many of them are not listed at each look", async () => {
  await ensureStreams(nc, ["raw", "final"], defaultLimits);
  const destinations = Array.from({ length: 260 }, (_, index) => `sender_${index}`);
  await Promise.all(destinations.map((name) => jsm.consumers.add("CASINO_EVENTS", durable(name))));
  const lists: string[] = [];
  const heard = nc.subscribe("$JS.API.CONSUMER.LIST.*", {
    callback: (_, { subject }) => {
      lists.push(subject.split(".").at(-1) ?? "");
    },
  });
  const reader = new QueueReader(nc, layout);
  const looks = [await reader.read(), await reader.read()];
  await nc.flush();
  heard.unsubscribe();
  for (const { durables } of looks)
    expect(durables.filter(({ stream }) => stream === "CASINO_EVENTS")).toHaveLength(260);
  // Two pages, once; the short list of the queue at each look.
  expect(lists.filter((stream) => stream === "CASINO_EVENTS")).toHaveLength(2);
  expect(lists.filter((stream) => stream === "CASINO_RAW")).toHaveLength(2);
});
