import type { Results } from "./run-all.ts";
import { type Cell, type Row, withRatio } from "./table.ts";

/** The goal for one figure. */
interface Goal {
  readonly what: string;
  /** The names of measurement and row. */
  readonly measurement: string;
  readonly row: string;
  readonly figure: (cells: Readonly<Record<string, Cell>>) => number;
  readonly atLeast?: number;
  readonly atMost?: number;
}

const cell = (name: string): Goal["figure"] => {
  return (cells) => Number(cells[name]);
};

/** CPU of the server and the services, without the senders. */
const cpuOfSystem: Goal["figure"] = (cells) => {
  const byProcess = cells["CPU by process"];
  if (!(byProcess instanceof Map)) return Number.NaN;
  const senders = ["generator", "HTTP load"];
  return byProcess.entries().reduce((sum, [name, cpu]) => (senders.includes(name) ? sum : sum + cpu), 0);
};

const everything = "1 enricher, archiver, logger";

const goals: readonly Goal[] = [
  {
    what: "one by one: ratio to limit ÷ 4",
    ...{ measurement: "end-to-end", row: "1 enricher", figure: cell("ratio"), atLeast: 0.6 },
  },
  {
    what: "one by one: CPU of server and services, µs an event",
    ...{ measurement: "end-to-end", row: "1 enricher", figure: cpuOfSystem, atMost: 120 },
  },
  {
    what: "arrays of 100: ratio to limit ÷ 4",
    ...{ measurement: "end-to-end-arrays", row: "1 enricher", figure: cell("ratio"), atLeast: 0.8 },
  },
  {
    what: "arrays of 100, everything running: ratio to limit ÷ 4",
    ...{ measurement: "end-to-end-arrays", row: everything, figure: cell("ratio"), atLeast: 0.5 },
  },
  {
    what: "single POSTs: ratio to Fastify with js.publish",
    ...{ measurement: "gateway", row: "single events, 64 at once" },
    ...{ figure: cell("to Fastify + js.publish"), atLeast: 1.3 },
  },
  {
    what: "100 events/s: p50 in ms",
    ...{ measurement: "latency", row: "100 events/s", figure: cell("p50"), atMost: 2.5 },
  },
  {
    what: "1,000 events/s: p50 in ms",
    ...{ measurement: "latency", row: "1,000 events/s", figure: cell("p50"), atMost: 2.5 },
  },
  {
    what: "1,000 events/s: p99 in ms",
    ...{ measurement: "latency", row: "1,000 events/s", figure: cell("p99"), atMost: 8 },
  },
  {
    what: "an enricher killed: longest way in ms",
    ...{ measurement: "killed-enricher", row: "killed with -9", figure: cell("worst"), atMost: 6_000 },
  },
];

/** The measurements that the goals are about, for `--goals`. */
export const measuredByGoals: readonly string[] = [...new Set(goals.map(({ measurement }) => measurement))];

/** A row per measured goal: the figure, the goal, and whether it is reached. */
export function goalRows({ tables, limit }: Pick<Results, "tables" | "limit">): readonly Row[] {
  return goals.flatMap(({ what, measurement, row, figure, atLeast, atMost = Number.POSITIVE_INFINITY }) => {
    const found = tables
      .find(({ name }) => name === measurement)
      ?.rows.find(({ label }) => label.trim() === row);
    if (found === undefined) return [];
    const is = figure(withRatio(found, limit));
    const wanted = atLeast === undefined ? `≤ ${atMost}` : `≥ ${atLeast}`;
    const met = is >= (atLeast ?? 0) && is <= atMost ? "yes" : "no";
    return [{ label: what, score: 0, cells: { is, wanted, met } }];
  });
}
