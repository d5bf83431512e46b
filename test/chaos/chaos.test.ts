import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, inject, test } from "vitest";
import { startCommand } from "../harness/command.ts";
import { tempFolder } from "../harness/temp-folder.ts";

/** Runs `npm run chaos` with these flags on the suite's nats-server. */
function chaos(...args: readonly string[]) {
  return startCommand(join(import.meta.dirname, "main.ts"), { args });
}

test("broken and starved it loses nothing and doubles nothing; what is lost or doubled on purpose is found", {
  timeout: 600_000,
}, async () => {
  const folder = tempFolder("chaos");
  const report = join(folder, "report.md");
  const places = ["--nats-server", inject("natsServer"), "--data", join(folder, "data"), "--report", report];
  const harmless = ["kill-gateway", "cut-postgres", "fill-raw"];
  const faults = [...harmless, "sabotage-lose", "sabotage-add"].join();
  const command = chaos(...places, "--seed", "4", "--events", "2500", "--queue-mib", "1", "--faults", faults);
  expect((await command.ended).code, command.stderr).toBe(1);

  const rows = readFileSync(report, "utf8")
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) => line.split("|").map((cell) => cell.trim()))
    // The report's other tables have fewer columns.
    .filter((cells) => cells.length > 8);
  expect(rows.slice(2).map(([, fault, , , , , lost, doubled]) => [fault, lost, doubled])).toEqual([
    ...harmless.map((fault) => [fault, "0", "0"]),
    ["sabotage-lose", "1", "0"],
    // Once in Postgres and once in the aggregates.
    ["sabotage-add", "0", "2"],
  ]);
  expect(rows.find(([, fault]) => fault === "kill-gateway")?.at(-2)).toMatch(/\d bundles? \(/);
  const [before = "", after] = command.stdout.split("\nsabotage-lose ");
  expect(before.split("\n").filter((line) => line.startsWith("  "))).toEqual([]);
  expect(after).toContain("Postgres holds ");
  expect(after).toContain("Data and logs are kept in");
  expect(after).toMatch(/The hostile producer sent \d+ messages: [1-9]\d* stored, [1-9]/);
});

test("a command line that makes no sense is refused with what is wrong", async () => {
  const command = chaos("--faults", "meteor", "--events", "some");
  expect((await command.ended).code).toBe(78);
  expect(command.stderr).toContain('--faults must name faults that --help lists, not "meteor"');
  expect(command.stderr).toContain("--events must be a number");
});
