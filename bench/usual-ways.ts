import {
  AckPolicy,
  type Consumer,
  type ConsumerMessages,
  type JsMsg,
  jetstream,
  jetstreamManager,
} from "@nats-io/jetstream";
import type { NatsConnection } from "nats";
import { decodeRaw } from "../internal/casino/decode.ts";
import { encodeEvent } from "../internal/casino/encode.ts";
import type { Measurement } from "./measurement.ts";
import { perSecond, rawPayloads } from "./publishing.ts";
import { clear } from "./streams.ts";
import { speedRow } from "./table.ts";

const stages = ["USUAL_RAW", "USUAL_PRICED", "USUAL_PROFILED", "USUAL_EVENTS"] as const;

/** They are slow. */
const mostEvents = 20_000;

/** How a step uses the library's `consume()`. */
type Take = (consumer: Consumer, handle: (msg: JsMsg) => Promise<void>) => Promise<ConsumerMessages>;

const oneAtATime: Take = async (consumer, handle) => {
  const messages = await consumer.consume();
  void (async () => {
    for await (const msg of messages) await handle(msg);
  })();
  return messages;
};

const asTheyCome: Take = (consumer, handle) => consumer.consume({ callback: (msg) => void handle(msg) });

/**
 * Three steps in the library's usual way: `consume()`, `await js.publish`, `ack()`. They only decode and encode, without the
 * cost of validation, rates, look-ups and dead letters.
 */
export const usualWays: Measurement = {
  name: "usual-ways",
  title: "three empty steps in the library's usual ways: events per second and their ratio to the limit ÷ 4",
  async measure({ bench, options }) {
    const count = Math.min(options.events, mostEvents);
    return [
      speedRow(
        "consume(), one after the other, await js.publish",
        await speed(bench.nc, count, oneAtATime),
        4,
      ),
      speedRow(
        "the same, each message in a callback of its own",
        await speed(bench.nc, count, asTheyCome),
        4,
      ),
    ];
  },
};

async function speed(nc: NatsConnection, count: number, take: Take): Promise<number> {
  await clear(nc);
  const jsm = await jetstreamManager(nc);
  for (const name of stages) {
    await jsm.streams.add({ name, subjects: [name] });
    await jsm.consumers.add(name, {
      durable_name: "step",
      ack_policy: AckPolicy.Explicit,
      max_ack_pending: 10_000,
    });
  }
  const js = jetstream(nc);
  const payloads = rawPayloads(count);
  for (let from = 0; from < count; from += 2_000)
    await Promise.all(payloads.slice(from, from + 2_000).map((payload) => js.publish("USUAL_RAW", payload)));

  const started = performance.now();
  const { promise, resolve } = Promise.withResolvers<void>();
  let finished = 0;
  const forward = (to: string) => async (msg: JsMsg) => {
    const decoded = decodeRaw(msg.data);
    if (!decoded.ok) throw new Error("the benchmark's events are valid");
    await js.publish(to, encodeEvent(decoded.event), { msgID: `${to}:${msg.seq}` });
    msg.ack();
    if (to === "USUAL_EVENTS" && ++finished === count) resolve();
  };
  const readers = await Promise.all(
    stages
      .slice(0, -1)
      .map(async (from, index) =>
        take(await js.consumers.get(from, "step"), forward(stages[index + 1] ?? "")),
      ),
  );
  await promise;
  const result = perSecond(count, started);
  await Promise.all(readers.map((reader) => reader.close()));
  await clear(nc);
  return result;
}
