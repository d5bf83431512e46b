import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { jetstreamManager } from "@nats-io/jetstream";
import { Publisher } from "../internal/jetstream/publisher.ts";
import { freePort } from "../internal/local/free-port.ts";
import { finalStage, senderName, stageStream } from "../internal/messages/subjects.ts";
import { connectPostgres } from "../internal/postgres/connect.ts";
import { createLog } from "../internal/service/log.ts";
import { defaultSettings } from "../internal/webhooks/destination.ts";
import { Destinations } from "../internal/webhooks/destinations.ts";
import { SecretBox } from "../internal/webhooks/secret-box.ts";
import { finalMessage, publishFinalEvents } from "./archive.ts";
import type { Bench } from "./environment.ts";
import { cpuPerEvent } from "./processes.ts";
import { perSecond } from "./publishing.ts";
import { messagesStored } from "./streams.ts";
import { until, untilCount } from "./until.ts";

const stream = stageStream(finalStage);

export interface SpellOptions {
  /** Maximum events per call. */
  readonly batch?: number;
  /** Whether a receiver that never answers gets the same events. */
  readonly hangs?: boolean;
}

export interface Backlog {
  /** Deliveries per second: made, recorded and acknowledged. */
  readonly speed: number;
  /** µs per delivery, by process. */
  readonly cpu: ReadonlyMap<string, number>;
}

/** One sender, and receivers in separate processes. */
export interface SenderLoad extends AsyncDisposable {
  /** Delivers events that wait in the log. */
  readonly backlog: (count: number, options?: SpellOptions) => Promise<Backlog>;
  /** Publishes at a steady rate and returns the times from when an event was due until its receiver had it, in ms. */
  readonly steady: (rate: number, seconds: number, options?: SpellOptions) => Promise<readonly number[]>;
}

export async function openSenderLoad(bench: Bench): Promise<SenderLoad> {
  const key = randomBytes(32);
  const sender = await bench.start("sender", {
    DELIVERY_KEY: key.toString("base64"),
    DELIVERY_ALLOW_PRIVATE: "127.0.0.0/8",
  });
  const [healthy, hanging] = await Promise.all([startReceiver(bench), startReceiver(bench)]);
  const db = connectPostgres(bench.env.DATABASE_URL ?? "", "bench", createLog("bench", "warn"));
  const destinations = new Destinations(db, new SecretBox([key]));
  const publisher = new Publisher(bench.nc);
  const jsm = await jetstreamManager(bench.nc);
  let nextId = 1;

  const create = (url: string, enabled: boolean, batch = 1) =>
    destinations.create("casino", { ...defaultSettings, url, batch, enabled });
  const floor = async (id: string) => {
    const info = await jsm.consumers.info(stream, senderName(id)).catch(() => undefined);
    return info?.ack_floor.stream_seq;
  };
  const isReading = async (id: string) => (await floor(id)) !== undefined;
  /** Runs work with one destination or two, and removes them with all their data afterwards. */
  const spell = async <T>(
    { batch = 1, hangs = false }: SpellOptions,
    enabled: boolean,
    work: (id: string) => Promise<T>,
  ): Promise<T> => {
    const { id } = await create(`${healthy.url}/hook`, enabled, batch);
    const ids = hangs ? [id, (await create(`${hanging.url}/hang`, true)).id] : [id];
    try {
      return await work(id);
    } finally {
      for (const each of ids) await destinations.remove(each, undefined);
      const areGone = async () => {
        await fetch(`${hanging.url}/release`);
        return !(await Promise.all(ids.map(isReading))).includes(true);
      };
      await until(areGone, "the sender to leave its destinations", bench);
    }
  };

  return {
    backlog: (count, options = {}) =>
      spell(options, false, async (id) => {
        const before = await messagesStored(bench.nc, stream);
        await publishFinalEvents(bench, count, nextId);
        nextId += count;
        await destinations.update(id, undefined, { enabled: true });
        const done = async () => Math.max(0, ((await floor(id)) ?? 0) - before);
        const what = "deliveries";
        // The first deliveries have fewer concurrent calls.
        await untilCount(done, Math.round(count / 10), what, { signal: bench.signal, everyMs: 5 });
        const already = await done();
        const usage = bench.processes.usage();
        const started = performance.now();
        await untilCount(done, count, what, { signal: bench.signal, everyMs: 10 });
        return {
          speed: perSecond(count - already, started),
          cpu: cpuPerEvent(usage, bench.processes.usage(), count - already),
        };
      }),
    steady: (rate, seconds, options = {}) =>
      spell(options, true, async (id) => {
        await until(() => isReading(id), "the sender to follow", bench);
        await healthy.took();
        const count = Math.round(rate * seconds);
        const started = Date.now();
        for (let sent = 0; sent < count; ) {
          for (; sent < count && started + (sent * 1_000) / rate <= Date.now(); sent++)
            await publisher.publish(finalMessage(nextId++, new Date(started + (sent * 1_000) / rate)));
          await sleep(1, undefined, { signal: bench.signal });
        }
        const took: number[] = [];
        const allCame = async () => took.push(...(await healthy.took())) >= count;
        await until(allCame, "all events to come", bench);
        return took;
      }),
    [Symbol.asyncDispose]: async () => {
      publisher.close();
      await db.destroy();
      await Promise.all([sender.stop(), healthy.stop(), hanging.stop()]);
    },
  };
}

interface Receiver {
  readonly url: string;
  /** The times of events since the last request, in ms. */
  readonly took: () => Promise<readonly number[]>;
  readonly stop: () => Promise<void>;
}

async function startReceiver(bench: Bench): Promise<Receiver> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const { pid, stop } = bench.program("load/receiver.ts", { PORT: String(port) });
  bench.processes.add("receivers", pid);
  const took = async () => (await (await fetch(`${url}/took`)).json()) as readonly number[]; // what load/receiver.ts answers
  const answers = () =>
    took().then(
      () => true,
      () => false,
    );
  await until(answers, "a receiver to listen", bench);
  return {
    url,
    took,
    async stop() {
      bench.processes.delete(pid);
      await stop();
    },
  };
}
