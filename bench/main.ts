import { format } from "node:util";
import { UsageError } from "../internal/service/command-line.ts";
import { exitCode } from "../internal/service/exit-code.ts";
import { runCommand } from "../internal/service/run-command.ts";
import { goalRows } from "./goals.ts";
import { Interrupted, interruptible } from "./interruptible.ts";
import { machine } from "./machine.ts";
import type { Measurement } from "./measurement.ts";
import { measurements } from "./measurements.ts";
import { benchCommand, type Options } from "./options.ts";
import { runAll } from "./run-all.ts";
import { plain, renderMarkdown, renderTable, withRatio } from "./table.ts";

const allNames = measurements.map(({ name }) => name);

/** The measurements of `--only`, or all that can run with these options. @throws UsageError */
function selected(options: Options, progress: (text: string) => void): readonly Measurement[] {
  return measurements.filter((measurement) => {
    const isAsked = options.only.includes(measurement.name);
    if (options.only.length > 0 && !isAsked) return false;
    const lack = measurement.lacks?.(options);
    if (lack === undefined) return true;
    if (isAsked) throw new UsageError([`${measurement.name} needs ${lack}.`]);
    progress(`without ${measurement.name}, which needs ${lack}`);
    return false;
  });
}

async function run(options: Options, say: (line: string) => void, progress: (text: string) => void) {
  const wanted = selected(options, progress);
  const { limit, tables, ranOn } = await interruptible(progress, async ({ signal, track }) => {
    const results = await runAll(wanted, options, { signal, track, progress });
    return { ...results, ranOn: machine(results.natsVersion) };
  });
  if (options.json) {
    const rows = tables.map(({ name, title, rows }) => ({
      ...{ name, title },
      rows: rows.map((row) => ({ label: row.label, ...plain(withRatio(row, limit)) })),
    }));
    say(
      JSON.stringify({
        at: new Date(),
        ranOn,
        events: options.events,
        rounds: options.rounds,
        limit,
        tables: rows,
        goals: goalRows({ tables, limit }).map(({ label, cells }) => ({ label, ...plain(cells) })),
      }),
    );
    return;
  }
  say(ranOn);
  say(`${options.events.toLocaleString("en")} events, best of ${options.rounds}. CPU in µs per event.`);
  say(
    "Figures of another machine, or of a busy one, cannot be compared; the ratios of one run can, roughly.",
  );
  const render = options.markdown ? renderMarkdown : renderTable;
  for (const { title, rows } of tables) say(`\n${render(title, rows, limit)}`);
  const goals = goalRows({ tables, limit });
  if (goals.length > 0) say(`\n${render("goals", goals, limit)}`);
}

await runCommand({
  name: "bench",
  build: benchCommand(allNames),
  variables: [],
  async run(options, { say, remark }) {
    const sayLine = (line: string): void => say(`${line}\n`);
    if (options.list) {
      for (const { name, title } of measurements) sayLine(`${name.padEnd(18)}${title}`);
      return;
    }
    try {
      await run(options, sayLine, (text) => remark(`bench: ${text}\n`));
    } catch (err) {
      if (err instanceof UsageError) throw err;
      if (!(err instanceof Interrupted)) remark(`bench: ${format(err)}\n`);
      process.exitCode = err instanceof Interrupted ? err.exitCode : exitCode.failed;
    }
    // Pending waits of an interrupted run must not keep the process alive.
    process.exit();
  },
});
