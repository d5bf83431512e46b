import { format } from "node:util";
import { exitCode } from "../internal/service/exit-code.ts";
import { goalRows } from "./goals.ts";
import { Interrupted, interruptible } from "./interruptible.ts";
import { machine } from "./machine.ts";
import type { Measurement } from "./measurement.ts";
import { measurements } from "./measurements.ts";
import { type Options, readOptions, usage } from "./options.ts";
import { runAll } from "./run-all.ts";
import { plain, renderMarkdown, renderTable, withRatio } from "./table.ts";

const say = (text: string) => process.stdout.write(`${text}\n`);
const progress = (text: string) => process.stderr.write(`bench: ${text}\n`);

function refuse(problem: string): never {
  progress(problem);
  process.exit(exitCode.config);
}

function read(): Options {
  try {
    return readOptions(process.argv.slice(2));
  } catch (err) {
    refuse(err instanceof Error ? err.message : String(err));
  }
}

/** The measurements of `--only`, or all that can run with these options. */
function selected(options: Options): readonly Measurement[] {
  const names = measurements.map(({ name }) => name);
  const unknown = options.only.find((name) => !names.includes(name));
  if (unknown !== undefined) refuse(`--only must be of ${names.join(", ")}, not "${unknown}"`);
  return measurements.filter((measurement) => {
    const isAsked = options.only.includes(measurement.name);
    if (options.only.length > 0 && !isAsked) return false;
    const lack = measurement.lacks?.(options);
    if (lack === undefined) return true;
    if (isAsked) refuse(`${measurement.name} needs ${lack}`);
    progress(`without ${measurement.name}, which needs ${lack}`);
    return false;
  });
}

const options = read();
if (options.help) {
  say(usage.trimEnd());
} else if (options.list) {
  for (const { name, title } of measurements) say(`${name.padEnd(18)}${title}`);
} else {
  const wanted = selected(options);
  try {
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
    } else {
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
  } catch (err) {
    if (!(err instanceof Interrupted)) progress(format(err));
    process.exitCode = err instanceof Interrupted ? err.exitCode : exitCode.failed;
  }
}
// Pending waits of an interrupted run must not keep the process alive.
process.exit();
