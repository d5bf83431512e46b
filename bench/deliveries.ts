import { percentiles } from "./load/percentiles.ts";
import type { Measurement } from "./measurement.ts";
import { type Backlog, openSenderLoad, type SpellOptions } from "./sender-load.ts";
import { clear } from "./streams.ts";
import { type Row, timeRow } from "./table.ts";

/** Events per second while latency is measured: well below one sender's maximum. */
const steadyRate = 200;
/** Alternating turns with and without a hanging receiver, so that noise of the machine affects both. */
const turns = 2;

/** One sender's speed, and whether a hanging receiver slows down another. */
export const deliveries: Measurement = {
  name: "deliveries",
  title: "webhooks of one sender: deliveries per second, each recorded; ms from an event to its receiver",
  once: true,
  async measure({ bench, options, progress }) {
    const { events, seconds } = options;
    await clear(bench.nc);
    await using load = await openSenderLoad(bench);
    const singles = Math.max(300, Math.round(events / 100));
    progress("  up to 100 events a call");
    await load.backlog(singles); // compiles the code
    const batched = await load.backlog(Math.max(2_000, Math.round(events / 10)), { batch: 100 });
    const cases: readonly { readonly label: string; readonly options: SpellOptions }[] = [
      { label: "single calls", options: {} },
      { label: "single calls, beside a receiver that hangs", options: { hangs: true } },
    ];
    const spells = cases.map((each) => ({ ...each, backlogs: [] as Backlog[], took: [] as number[] }));
    for (let turn = 1; turn <= turns; turn++)
      for (const { label, options, backlogs, took } of spells) {
        progress(`  ${label}, turn ${turn} of ${turns}`);
        backlogs.push(await load.backlog(singles, options));
        took.push(...(await load.steady(steadyRate, seconds / 4, options)));
      }
    return [
      backlogRow("calls of up to 100 events", [batched]),
      ...spells.map(({ label, backlogs }) => backlogRow(label, backlogs)),
      ...spells.map(({ label, took }) => steadyRow(`${label}: ${steadyRate} events/s`, took)),
    ];
  },
};

/** The best turn. */
function backlogRow(label: string, backlogs: readonly Backlog[]): Row {
  const best = backlogs.reduce((best, each) => (each.speed > best.speed ? each : best));
  return { label, score: best.speed, cells: { "per second": best.speed, "CPU by process": best.cpu } };
}

/** The percentiles over all turns. */
function steadyRow(label: string, took: readonly number[]): Row {
  const { p50, p99, worst } = percentiles(took);
  return timeRow(label, p99, { p50, p99, worst, events: took.length });
}
