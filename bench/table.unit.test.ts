import { expect, test } from "vitest";
import { bestOf, renderMarkdown, renderTable, speedRow, timeRow } from "./table.ts";

test("of each row the best round is kept: the fastest, or the shortest", () => {
  const rounds = [
    [speedRow("events", 10_000, 4, { cpu: 1 }), timeRow("latency", 5, { p50: 5 })],
    [speedRow("events", 12_000, 4, { cpu: 2 }), timeRow("latency", 9, { p50: 9 })],
    [speedRow("events", 11_000, 4, { cpu: 3 })],
  ];
  expect(bestOf(rounds).map(({ label, cells }) => [label, cells])).toEqual([
    ["events", { "per second": 12_000, cpu: 2 }],
    ["latency", { p50: 5 }],
  ]);
});

test("a table has the ratio to the limit behind the speed, and room for what only some rows have", () => {
  const rows = [
    speedRow("one by one", 10_000, 4, { cpu: new Map([["nats-server", 80.25]]) }),
    { label: "disk", score: 1, cells: { cpu: "none" } },
  ];
  expect(renderTable("end to end", rows, 80_000)).toBe(
    [
      "end to end",
      "              per second  ratio  cpu",
      "  one by one      10,000   0.50  nats-server 80.3",
      "  disk                           none",
    ].join("\n"),
  );
  expect(renderMarkdown("end to end", rows, 80_000)).toBe(
    [
      "| end to end | per second | ratio | cpu |",
      "|---|---|---|---|",
      "| one by one | 10,000 | 0.50 | nats-server 80.3 |",
      "| disk |  |  | none |",
    ].join("\n"),
  );
});
