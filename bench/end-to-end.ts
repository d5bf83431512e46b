import type { Bench, Running } from "./environment.ts";
import { arraysFeed, type Feed, gatewayWithoutLimit, generatorFeed, newKey } from "./feeds.ts";
import type { Measurement, Run } from "./measurement.ts";
import { pass } from "./passage.ts";
import { clear } from "./streams.ts";
import { type Row, speedRow } from "./table.ts";

/** Which services run, and how events come in. */
interface Shape {
  readonly label: string;
  /** The steps of each enricher; undefined = all three. */
  readonly enrichers: readonly (string | undefined)[];
  /** Whether archiver, logger and gateway run too, as in production. */
  readonly everything?: true;
  /** Whether events come in arrays of 100 through one gateway, and not one by one from the generator. */
  readonly arrays?: true;
  /** Whether the generator has an account of its own, as producers do; else it is in the services' account. */
  readonly outside?: true;
}

const all = undefined;

const oneByOne: readonly Shape[] = [
  { label: "1 enricher", enrichers: [all] },
  { label: "1 enricher, producer in an account of its own", enrichers: [all], outside: true },
  { label: "2 enrichers", enrichers: [all, all] },
  { label: "3 enrichers", enrichers: [all, all, all] },
  { label: "3 enrichers, a step each", enrichers: ["currency", "player", "description"] },
  { label: "1 enricher, archiver, logger, gateway", enrichers: [all], everything: true },
];

const fromArrays: readonly Shape[] = [
  { label: "1 enricher", enrichers: [all], arrays: true },
  { label: "1 enricher, archiver, logger", enrichers: [all], arrays: true, everything: true },
];

/** How often an event that travels alone is published on its way through the pipeline. */
const publishesPerEvent = 4;

function measurementOf(name: string, how: string, shapes: readonly Shape[]): Measurement {
  return {
    name,
    title: `end to end, ${how}, with materializer: events per second and their ratio to the limit ÷ 4`,
    async measure(run) {
      const rows: Row[] = [];
      for (const shape of shapes) rows.push(await throughAll(run, shape));
      return rows;
    },
  };
}

export const endToEndOneByOne = measurementOf("end-to-end", "raw events one by one", oneByOne);
export const endToEndArrays = measurementOf(
  "end-to-end-arrays",
  "arrays of 100 over HTTP through one gateway",
  fromArrays,
);

async function throughAll({ bench, options, progress }: Run, shape: Shape): Promise<Row> {
  const { label, enrichers, everything = false, arrays = false, outside = false } = shape;
  progress(`  ${label}`);
  await clear(bench.nc);
  const [materializer, gateway, ...others] = await Promise.all([
    bench.start("materializer"),
    arrays || everything ? bench.start("gateway", gatewayWithoutLimit) : undefined,
    ...enrichers.map((steps) => bench.start("enricher", steps === all ? {} : { STEPS: steps })),
    ...(everything ? [bench.start("archiver"), bench.start("logger")] : []),
  ]);
  const feed =
    arrays && gateway !== undefined
      ? await arraysOf(bench, gateway)
      : generatorFeed(bench, outside ? "outside" : "inside");
  const passing = { materializer, archiver: everything, feed, feedName: arrays ? "HTTP load" : "generator" };
  await pass(bench, options.warmUp, passing);
  const { seconds, cpu, bundles } = await pass(bench, options.events, passing);
  for (const service of [materializer, gateway, ...others]) await service?.stop();
  const total = cpu.values().reduce((sum, cost) => sum + cost, 0);
  return speedRow(label, options.events / seconds, publishesPerEvent, {
    "CPU in all": total,
    "CPU by process": cpu,
    "events per message": bundles,
  });
}

async function arraysOf(bench: Bench, gateway: Running): Promise<Feed> {
  return arraysFeed(bench, gateway.url, await newKey(bench));
}
