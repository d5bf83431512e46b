import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Publisher } from "../internal/jetstream/publisher.ts";
import { natsConfWith } from "../test/harness/nats-conf.ts";
import { type Bench, freshQueue, openBench } from "./environment.ts";
import { endToEnd } from "./pipeline.ts";
import { perSecond, publisherSpeed, rawMessages } from "./publishing.ts";

/** Per second. */
export interface DurabilitySpeeds {
  /** One message after the other, each sent when the one before is acknowledged. */
  readonly oneByOne: number;
  /** 4,096 in flight. */
  readonly publisher: number;
  /** Events through the whole pipeline, one enricher. */
  readonly endToEnd: number;
}

/** Whether this server can force each message to the disk before it acknowledges it. */
export function canSyncAlways({ nc }: Bench): boolean {
  return !/^2\.[0-9]\./.test(nc.info?.version ?? "");
}

/** The same servers and services as `openBench`, with nats/sync-always.conf switched on. */
export function openDurableBench(): Promise<Bench> {
  return openBench(natsConfWith("nats/sync-always.conf"));
}

export async function durabilitySpeeds(bench: Bench, count: number): Promise<DurabilitySpeeds> {
  return {
    oneByOne: await oneByOne(bench, Math.ceil(count / 10)),
    publisher: await publisherSpeed(bench.nc, count),
    endToEnd: await endToEnd(bench, count, 1),
  };
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

/** How often per second this disk forces 512 written bytes out: what no server that does so for each message can beat. */
export function syncsPerSecond(count = 300): number {
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
