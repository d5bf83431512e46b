import { expect, test } from "vitest";
import { defaultLimits, silent, streamsForTest } from "../../test/harness/broker.ts";
import { ensureDurable } from "../jetstream/durable.ts";
import { ensureStreams } from "../jetstream/topology.ts";
import { OutgoingHeaders } from "../jetstream/wire-headers.ts";
import { addConsumers, addStreams } from "./bus-metrics.ts";
import { Metrics } from "./metrics.ts";
import { addPublisher, TimedPublisher } from "./timed-publisher.ts";

const { nc, jsm } = await streamsForTest();

/** The values by name and labels. */
async function read(metrics: Metrics): Promise<Readonly<Record<string, number>>> {
  const lines = (await metrics.text()).split("\n").filter((line) => line.startsWith("croupier_"));
  return Object.fromEntries(lines.map((line) => [line.replace(/ \S+$/, ""), Number(line.split(" ").at(-1))]));
}

test("how full a stream is, is told in messages where they are limited", async () => {
  for (const [name, max_msgs] of [
    ["LIMITED", 50],
    ["UNLIMITED", -1],
  ] as const)
    await jsm.streams.add({ name, subjects: [name], max_msgs });
  const metrics = new Metrics(silent);
  addStreams(metrics, nc, [{ name: "LIMITED" }, { name: "UNLIMITED" }]);
  const values = Object.entries(await read(metrics)).filter(([name]) => name.includes("max_messages"));
  expect(values).toEqual([['croupier_stream_max_messages{stream="LIMITED"}', 50]]);
});

test("a backlog is told in messages and seconds, how full a stream is in bytes, and nothing of what is not there", async () => {
  await ensureStreams(nc, ["raw", "apart"], defaultLimits);
  const reader = { stream: "CASINO_RAW", name: "currency", filter: "casino.event.raw.*", maxAckPending: 10 };
  await ensureDurable(nc, reader);
  const publisher = new TimedPublisher(nc, {});
  const send = (client: string) =>
    publisher.publish({
      subject: `casino.event.raw.${client}`,
      payload: "{}",
      headers: new OutgoingHeaders(),
    });
  await send("casino");
  await new Promise((resolve) => setTimeout(resolve, 50));
  await Promise.all([send("casino"), send("acme")]);

  const metrics = new Metrics(silent);
  addConsumers(metrics, nc, [reader, { ...reader, stream: "CASINO_APART", name: "currency_apart" }]);
  addStreams(metrics, nc, [{ name: "CASINO_RAW" }, { name: "CASINO_NONE" }]);
  addPublisher(metrics, publisher);
  const first = await read(metrics);
  const [consumer, stream] = ['{stream="CASINO_RAW",consumer="currency"}', '{stream="CASINO_RAW"}'];
  expect(first).toMatchObject({
    [`croupier_consumer_pending_messages${consumer}`]: 3,
    [`croupier_consumer_unacknowledged_messages${consumer}`]: 0,
    [`croupier_stream_messages${stream}`]: 3,
    [`croupier_stream_max_bytes${stream}`]: defaultLimits.QUEUE_MAX_BYTES,
    'croupier_published_total{outcome="stored"}': 3,
    'croupier_published_total{outcome="failed"}': 0,
    croupier_publish_in_flight: 0,
    croupier_publish_window: publisher.window,
  });
  const lag = `croupier_consumer_lag_seconds${consumer}`;
  expect(first[lag]).toBeGreaterThan(0.04);
  expect(first.croupier_puback_duration_seconds_count).toBe(2); // one after the other: not of both that were sent together
  expect(Object.keys(first).filter((name) => /APART|NONE/.test(name))).toEqual([]);

  // The oldest is done with: what counts is the next one.
  const oldest = await (await jsm.jetstream().consumers.get("CASINO_RAW", "currency")).next();
  await oldest?.ackAck();
  const later = new Metrics(silent);
  addConsumers(later, nc, [reader]);
  const second = await read(later);
  expect(second[`croupier_consumer_pending_messages${consumer}`]).toBe(2);
  expect(second[lag]).toBeGreaterThan(0);
});
