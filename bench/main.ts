import { parseArgs } from "node:util";
import { type ArchiveSpeeds, archiveSpeeds } from "./archive.ts";
import {
  canSyncAlways,
  type DurabilitySpeeds,
  durabilitySpeeds,
  openDurableBench,
  syncsPerSecond,
} from "./durability.ts";
import { machine, openBench } from "./environment.ts";
import { type GatewaySpeeds, gatewaySpeeds } from "./gateway.ts";
import { endToEnd, latency } from "./pipeline.ts";
import { libraryPublishSpeed, publisherSpeed, rawLimit } from "./publishing.ts";
import { rollingRestart } from "./rolling-restart.ts";
import { usualWays } from "./usual-ways.ts";

const { values } = parseArgs({
  options: {
    help: { type: "boolean" },
    events: { type: "string", default: "200000" },
    rounds: { type: "string", default: "3" },
    only: { type: "string" },
  },
});
if (values.help) {
  process.stdout.write(
    "npm run bench -- [--events N] [--rounds N] [--only durability|rolling-restart]\nMeasures publishing, the whole pipeline and its latency on servers of its own.\n",
  );
  process.exit(0);
}
const events = Number(values.events);
const rounds = Number(values.rounds);

const say = (line = "") => process.stdout.write(`${line}\n`);
const n = (value: number) => Math.round(value).toLocaleString("en").padStart(9);
const best = (figures: readonly number[]) => Math.max(...figures);

/** How long final events stay away while everything is restarted. */
async function gaps(): Promise<void> {
  const { undisturbed, restarting } = await rollingRestart(bench, 1_000);
  say("longest gap between final events at 1,000 events/s");
  say(`  undisturbed                                        ${n(undisturbed)} ms`);
  say(`  every service restarted in turn, two enrichers     ${n(restarting)} ms`);
  say();
}

/** What `sync_interval: always` costs, both servers measured in turns. */
async function durability(): Promise<void> {
  if (!canSyncAlways(bench)) {
    say("sync_interval: always needs nats-server 2.10 or newer: put one first on PATH to measure its price");
    return;
  }
  const durable = await openDurableBench();
  try {
    const count = Math.min(events, 20_000);
    const usual: DurabilitySpeeds[] = [];
    const always: DurabilitySpeeds[] = [];
    for (let round = 0; round < rounds; round++) {
      usual.push(await durabilitySpeeds(bench, count));
      always.push(await durabilitySpeeds(durable, count));
    }
    const row = (of: (speeds: DurabilitySpeeds) => number) => {
      const [without, with_] = [best(usual.map(of)), best(always.map(of))];
      return `${n(without)}${n(with_)}   ${(with_ / without).toFixed(3)}`;
    };
    say(`each message on the disk before it is acknowledged, ${count.toLocaleString("en")} events`);
    say("                                                     usual   always   ratio");
    say(`  one message after the other, messages/s          ${row((speeds) => speeds.oneByOne)}`);
    say(`  4,096 in flight, messages/s                      ${row((speeds) => speeds.publisher)}`);
    say(`  end to end, one enricher, events/s               ${row((speeds) => speeds.endToEnd)}`);
    say(`  this disk alone, syncs/s                         ${n(syncsPerSecond())}`);
  } finally {
    await durable.close();
  }
}

const parts = new Map([
  ["durability", durability],
  ["rolling-restart", gaps],
]);
const part = parts.get(values.only ?? "");
if (values.only !== undefined && part === undefined) {
  process.stderr.write(
    `bench: --only must be one of ${[...parts.keys()].join(", ")}, not "${values.only}"\n`,
  );
  process.exit(78);
}
const bench = await openBench();
if (part !== undefined) {
  say(machine(bench.nc));
  await part().finally(() => bench.close());
  process.exit(0);
}
try {
  say(machine(bench.nc));
  say(
    `${events.toLocaleString("en")} events, best of ${rounds}; another run's figures on another machine mean nothing, the ratios do.`,
  );
  say();
  const limits: number[] = [];
  const publisher: number[] = [];
  const library: number[] = [];
  const one: number[] = [];
  const two: number[] = [];
  const oneAtATime: number[] = [];
  const asTheyCome: number[] = [];
  const gateway: GatewaySpeeds[] = [];
  const archive: ArchiveSpeeds[] = [];
  // In turns, so that a noisy spell of the machine meets all of them.
  for (let round = 0; round < rounds; round++) {
    limits.push(await rawLimit(bench.nc, events));
    publisher.push(await publisherSpeed(bench.nc, events));
    library.push(await libraryPublishSpeed(bench.nc, Math.min(events, 50_000)));
    one.push(await endToEnd(bench, events, 1));
    two.push(await endToEnd(bench, events, 2));
    const usual = await usualWays(bench.nc, Math.min(events, 20_000));
    oneAtATime.push(usual.oneAtATime);
    asTheyCome.push(usual.asTheyCome);
    gateway.push(await gatewaySpeeds(bench, Math.ceil(events / 100) * 100));
    archive.push(await archiveSpeeds(bench, events));
  }
  const limit = best(limits);
  const share = (speed: number, of: number) => `${(speed / of).toFixed(2)}`;
  say("publishing, acknowledged messages/s                      ratio to the limit");
  say(`  broker's limit (raw events, PubAcks only counted)  ${n(limit)}   1`);
  say(
    `  publisher (every PubAck checked and routed)        ${n(best(publisher))}   ${share(best(publisher), limit)}`,
  );
  say(
    `  js.publish, 2,000 at once                          ${n(best(library))}   ${share(best(library), limit)}`,
  );
  say();
  say("end to end, events/s (each is four acknowledged publishes)   ratio to limit / 4");
  say(
    `  generator, 1 enricher with three steps, materializer ${n(best(one))}   ${share(best(one), limit / 4)}`,
  );
  say(
    `  the same with 2 enrichers                          ${n(best(two))}   ${share(best(two), limit / 4)}`,
  );
  say(
    `  three empty steps: consume(), await js.publish       ${n(best(oneAtATime))}   ${share(best(oneAtATime), limit / 4)}`,
  );
  say(
    `  the same, each message in a callback of its own      ${n(best(asTheyCome))}   ${share(best(asTheyCome), limit / 4)}`,
  );
  say();
  const posted = (of: (speeds: GatewaySpeeds) => number) => {
    const speed = best(gateway.map(of));
    return `${n(speed)}   ${share(speed, limit)}`;
  };
  say("one gateway, events/s stored                               ratio to the limit");
  say(`  single events, 64 at once                          ${posted((speeds) => speeds.single)}`);
  say(`  arrays of 100, 8 at once                           ${posted((speeds) => speeds.arrays)}`);
  say(`  one NDJSON stream                                  ${posted((speeds) => speeds.ndjson)}`);
  say();
  const insert = best(archive.map((speeds) => speeds.raw));
  const archived = best(archive.map((speeds) => speeds.archiver));
  say("into Postgres, rows/s                                      ratio to the inserts");
  say(`  inserts of 1,000 rows, no key, index or reference  ${n(insert)}   1`);
  say(`  one archiver                                       ${n(archived)}   ${share(archived, insert)}`);
  say();
  const { p50, p99, worst } = await latency(bench, 1_000, 10);
  say("latency raw to final at 1,000 events/s");
  say(`  p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, worst ${worst.toFixed(1)} ms`);
  say();
  await gaps();
  await durability();
} finally {
  await bench.close();
}
