import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Publisher } from "../internal/jetstream/publisher.ts";
import { natsConfWith } from "../test/harness/nats-conf.ts";
import type { Bench } from "./environment.ts";
import { generatorFeed } from "./feeds.ts";
import type { Measurement } from "./measurement.ts";
import type { Options } from "./options.ts";
import { pass } from "./passage.ts";
import { perSecond, publisherSpeed, rawMessages } from "./publishing.ts";
import { clear, freshQueue } from "./streams.ts";
import type { Row } from "./table.ts";

/** Rates per second. */
interface Speeds {
  /** One message at a time: each is sent after the previous PubAck. */
  readonly oneByOne: number;
  /** 4,096 in flight. */
  readonly publisher: number;
  /** Events through the whole pipeline, one enricher. */
  readonly endToEnd: number;
}

/** More would take minutes. */
const mostEvents = 20_000;

/** The cost of `sync_interval: always`: the same servers with and without nats/sync-always.conf. */
export const durability: Measurement = {
  name: "durability",
  title: "each message on the disk before it is acknowledged, per second",
  async measure({ bench, options, progress, openBench }) {
    if (/^2\.[0-9]\./.test(bench.nc.info?.version ?? "")) {
      progress("  needs nats-server 2.10 or newer: put one first on PATH to measure its price");
      return [];
    }
    await using durable = await openBench(natsConfWith("nats/sync-always.conf"));
    const [usual, always] = [await speeds(bench, options), await speeds(durable, options)];
    const row = (label: string, of: (speeds: Speeds) => number): Row => ({
      label,
      score: of(always) / of(usual),
      cells: { usual: of(usual), always: of(always), ratio: of(always) / of(usual) },
    });
    const disk = syncsPerSecond();
    return [
      row("one message after the other, messages", ({ oneByOne }) => oneByOne),
      row("4,096 in flight, messages", ({ publisher }) => publisher),
      row("end to end, one enricher, events", ({ endToEnd }) => endToEnd),
      { label: "this disk alone, syncs", score: disk, cells: { always: disk } },
    ];
  },
};

async function speeds(bench: Bench, { events, warmUp }: Options): Promise<Speeds> {
  const count = Math.min(events, mostEvents);
  return {
    oneByOne: await oneByOne(bench, Math.ceil(count / 10)),
    publisher: await publisherSpeed(bench.nc, count),
    endToEnd: await endToEnd(bench, count, Math.min(warmUp, count)),
  };
}

async function endToEnd(bench: Bench, count: number, warmUp: number): Promise<number> {
  await clear(bench.nc);
  const [materializer, enricher] = await Promise.all([bench.start("materializer"), bench.start("enricher")]);
  const passing = {
    materializer,
    archiver: false,
    feed: generatorFeed(bench, "inside"),
    feedName: "generator",
  };
  await pass(bench, warmUp, passing);
  const { seconds } = await pass(bench, count, passing);
  await Promise.all([materializer.stop(), enricher.stop()]);
  return count / seconds;
}

async function oneByOne({ nc }: Bench, count: number): Promise<number> {
  const publisher = new Publisher(nc);
  const messages = rawMessages(count, await freshQueue(nc, "BENCH"), "one-by-one");
  const started = performance.now();
  for (const message of messages) await publisher.publish(message);
  const speed = perSecond(count, started);
  publisher.close();
  return speed;
}

/** Synced writes of 512 bytes per second: the limit of a server that syncs each message. */
function syncsPerSecond(count = 300): number {
  const folder = mkdtempSync(join(tmpdir(), "croupier-bench-"));
  const file = openSync(join(folder, "file"), "w");
  const started = performance.now();
  for (let i = 0; i < count; i++) {
    writeSync(file, Buffer.alloc(512));
    fsyncSync(file);
  }
  const speed = perSecond(count, started);
  closeSync(file);
  rmSync(folder, { recursive: true });
  return speed;
}
