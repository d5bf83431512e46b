import { setTimeout as sleep } from "node:timers/promises";
import { Publisher } from "../internal/jetstream/publisher.ts";
import { rawSubject } from "../internal/messages/subjects.ts";
import type { Bench, Program } from "./environment.ts";
import { gatewayWithoutLimit } from "./feeds.ts";
import { type Percentiles, percentiles } from "./load/percentiles.ts";
import type { Measurement } from "./measurement.ts";
import { cpuPerEvent } from "./processes.ts";
import { rawMessages } from "./publishing.ts";
import { clear, freshQueue } from "./streams.ts";
import { type Row, timeRow } from "./table.ts";

const rates = [100, 1_000, 5_000];

/** In the first second code is cold and the cache of rates empty. */
const warmUpSeconds = 1;

/** The output of `load/steady.ts`, in ms. */
interface SteadyLoad extends Percentiles {
  readonly events: number;
  readonly missing: number;
  /** The 99th percentile of how late events were sent; their latency includes it. */
  readonly sentLate: number;
}

export const latency: Measurement = {
  name: "latency",
  title:
    "latency in ms, from when a raw event was due to its final form, everything running; the load sleeps in a process of its own",
  async measure({ bench, options, progress }) {
    const rows: Row[] = [await oneMessage(bench)];
    await clear(bench.nc);
    const services = await Promise.all([
      ...["materializer", "enricher", "archiver", "logger"].map((name) => bench.start(name)),
      bench.start("gateway", gatewayWithoutLimit),
    ]);
    for (const rate of rates) {
      progress(`  ${rate} events/s`);
      const before = bench.processes.usage();
      const load = steadyLoad(bench, { rate, seconds: options.seconds, patience: 60 });
      const row = await rowOf(`${rate.toLocaleString("en")} events/s`, load, ({ p50 }) => p50);
      const events = rate * (warmUpSeconds + options.seconds);
      const cpu = cpuPerEvent(before, bench.processes.usage(), events);
      rows.push({ ...row, cells: { ...row.cells, "CPU by process, µs per event": cpu } });
    }
    for (const service of services) await service.stop();
    return rows;
  },
};

/** Enough for a median. */
const messages = 300;

/**
 * What the machine itself takes: one message every 10 ms from the publisher through a stream to a subscriber, with nothing
 * else running. An event that travels alone does so four times, and is looked up in Postgres.
 */
async function oneMessage({ nc }: Bench): Promise<Row> {
  const subject = await freshQueue(nc, "BENCH");
  const publisher = new Publisher(nc);
  const subscription = nc.subscribe(subject);
  const arrivals = subscription[Symbol.asyncIterator]();
  const took: number[] = [];
  for (const message of rawMessages(messages, subject, "one")) {
    await sleep(10);
    const sent = performance.now();
    publisher.send(message, () => undefined);
    await arrivals.next();
    took.push(performance.now() - sent);
  }
  subscription.unsubscribe();
  publisher.close();
  const { p50, p99, p999, worst } = percentiles(took);
  return timeRow("one message alone, stored", p50, { p50, p99, "p99.9": p999, worst });
}

/** How long events wait that an enricher had in hand when it was killed. */
export const killedEnricher: Measurement = {
  name: "killed-enricher",
  title: "one of two enrichers killed with -9 at 1,000 events/s: the longest way of an event, in ms",
  once: true,
  async measure({ bench, options }) {
    await clear(bench.nc);
    const services = await Promise.all(
      ["enricher", "enricher", "materializer"].map((name) => bench.start(name)),
    );
    const seconds = Math.max(4, options.seconds);
    const first = bench.nc.subscribe(rawSubject("casino"), { max: 1 });
    await bench.nc.flush();
    const load = steadyLoad(bench, { rate: 1_000, seconds, patience: 120 });
    load.output.catch(() => first.unsubscribe());
    for await (const _first of first) break;
    // In the middle of the measurement: two thousand events after the warm-up.
    const passed = bench.nc.subscribe(rawSubject("casino"), { max: 2_000 });
    for await (const _raw of passed);
    await services[0]?.kill();
    const row = await rowOf("killed with -9", load, ({ worst }) => worst);
    for (const service of services) await service.stop();
    return [row];
  },
};

function steadyLoad(
  bench: Bench,
  { rate, seconds, patience }: { readonly rate: number; readonly seconds: number; readonly patience: number },
): Program {
  return bench.program("load/steady.ts", {
    ...{ RATE: String(rate), SECONDS: String(seconds), PATIENCE: String(patience) },
    WARM_UP: String(warmUpSeconds),
    SOURCE: `load-${rate}-${Date.now().toString(36)}`,
  });
}

async function rowOf(label: string, { output }: Program, score: (load: SteadyLoad) => number): Promise<Row> {
  const load = JSON.parse(await output) as SteadyLoad; // what load/steady.ts writes
  return timeRow(label, score(load), {
    ...{ p50: load.p50, p99: load.p99, "p99.9": load.p999, worst: load.worst },
    "sent late, p99": load.sentLate,
    events: load.events,
    missing: load.missing,
  });
}
