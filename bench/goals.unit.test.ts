import { expect, test } from "vitest";
import { goalRows, measuredByGoals } from "./goals.ts";
import { measurements } from "./measurements.ts";
import { speedRow, timeRow } from "./table.ts";

test("goals are about measurements that there are", () => {
  const names = measurements.map(({ name }) => name);
  for (const name of measuredByGoals) expect(names).toContain(name);
});

test("a goal says whether the figure that was measured reaches it; what was not measured is left out", () => {
  const cpu = new Map([
    ["enricher", 80],
    ["nats-server", 50],
    ["generator", 30],
  ]);
  const table = (name: string, ...rows: Parameters<typeof goalRows>[0]["tables"][number]["rows"]) => {
    return { name, title: name, rows };
  };
  const rows = goalRows({
    limit: 80_000,
    tables: [
      table("end-to-end", speedRow("1 enricher", 14_000, 4, { "CPU by process": cpu })),
      table("latency", timeRow("1,000 events/s", 2, { p50: 2, p99: 9 })),
    ],
  });
  expect(rows.map(({ label, cells }) => [label, ...Object.values(cells)])).toEqual([
    ["one by one: ratio to limit ÷ 4", 0.7, "≥ 0.6", "yes"],
    ["one by one: CPU of server and services, µs an event", 130, "≤ 120", "no"],
    ["1,000 events/s: p50 in ms", 2, "≤ 2.5", "yes"],
    ["1,000 events/s: p99 in ms", 9, "≤ 8", "no"],
  ]);
});
