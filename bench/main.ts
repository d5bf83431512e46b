import { parseArgs } from "node:util";
import { type ArchiveSpeeds, archiveSpeeds } from "./archive.ts";
import { machine, openBench } from "./environment.ts";
import { type GatewaySpeeds, gatewaySpeeds } from "./gateway.ts";
import { endToEnd, latency } from "./pipeline.ts";
import { libraryPublishSpeed, publisherSpeed, rawLimit } from "./publishing.ts";

const { values } = parseArgs({
  options: {
    help: { type: "boolean" },
    events: { type: "string", default: "200000" },
    rounds: { type: "string", default: "3" },
  },
});
if (values.help) {
  process.stdout.write(
    "npm run bench -- [--events N] [--rounds N]\nMeasures publishing, the whole pipeline and its latency on servers of its own.\n",
  );
  process.exit(0);
}
const events = Number(values.events);
const rounds = Number(values.rounds);

const say = (line = "") => process.stdout.write(`${line}\n`);
const n = (value: number) => Math.round(value).toLocaleString("en").padStart(9);
const best = (figures: readonly number[]) => Math.max(...figures);

const bench = await openBench();
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
  const gateway: GatewaySpeeds[] = [];
  const archive: ArchiveSpeeds[] = [];
  // In turns, so that a noisy spell of the machine meets all of them.
  for (let round = 0; round < rounds; round++) {
    limits.push(await rawLimit(bench.nc, events));
    publisher.push(await publisherSpeed(bench.nc, events));
    library.push(await libraryPublishSpeed(bench.nc, Math.min(events, 50_000)));
    one.push(await endToEnd(bench, events, 1));
    two.push(await endToEnd(bench, events, 2));
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
} finally {
  await bench.close();
}
