import { expect, test } from "vitest";
import { cells, isClean, markdown, type Report } from "./report.ts";
import type { RoundResult } from "./round.ts";

const round: RoundResult = {
  fault: "kill-nats",
  seen: "away for 3.0 s",
  at: 61_000,
  lastedMs: 3_000,
  events: 12_345,
  lost: 0,
  doubled: 0,
  recoveredMs: 4_200,
  kills: [{ bundles: 3, events: 1_200 }],
  ends: [],
  wrong: [],
};
const report: Report = {
  command: "npm run chaos -- --seed 1",
  seed: 1,
  date: new Date("2026-01-01T00:00:00Z"),
  tookMs: 90_000,
  rounds: [round],
  acts: [],
  leftOut: [],
  brokeOff: [],
};

test.each([
  [{}, true],
  [{ rounds: [round, { ...round, lost: 1 }] }, false],
  [{ rounds: [{ ...round, doubled: 1 }] }, false],
  [{ rounds: [{ ...round, wrong: ["a dead letter is missing"] }] }, false],
  [{ brokeOff: ["NATS did not start"] }, false],
  [{ rounds: [] }, false],
] as const)("with %o it is clean: %s", (change, clean) => {
  expect(isClean({ ...report, ...change })).toBe(clean);
});

test("the page has a row for each fault, what ran it, and what went wrong", () => {
  const page = markdown({
    ...report,
    rounds: [round, { ...round, lost: 2, wrong: ["two are gone"], recoveredMs: undefined }],
  });
  expect(page).toContain("npm run chaos -- --seed 1");
  expect(page).toContain(
    "| kill-nats | away for 3.0 s | 1:01 | 3.0 s | 12,345 | 0 | 0 | 4.2 s | 3 bundles (1,200 events) |",
  );
  expect(page).toContain("| 2 | 0 | never |");
  expect(page).toContain("- kill-nats: two are gone");
  expect(page).toContain(
    "Under way at 2 kills: 6 bundles with 2,400 events. 2 of the kills met at least one.",
  );
  expect(markdown(report)).not.toContain("went wrong");
});

test.each([
  [[], ""],
  [[{ bundles: 1, events: 1 }], "1 bundle (1 event)"],
  [
    [
      { bundles: 2, events: 512 },
      { bundles: 0, events: 0 },
      { bundles: 5, events: 1_000 },
    ],
    "3 kills: 7 bundles (1,512 events)",
  ],
])("kills at %o are told as %j", (kills, told) => {
  expect(cells({ ...round, kills }).at(-1)).toBe(told);
});
