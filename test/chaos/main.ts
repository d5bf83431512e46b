import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { exitCode } from "../../internal/service/exit-code.ts";
import { runCommand } from "../../internal/service/run-command.ts";
import { type ActResult, playAct } from "./act.ts";
import { feasible } from "./feasible.ts";
import { type ChaosOptions, chaosCommand } from "./options.ts";
import { planOf } from "./plan.ts";
import { cells, header, isClean, machine, markdown, type Report, summary } from "./report.ts";
import type { RoundResult } from "./round.ts";

const widths = [22, 46, 7, 8, 9, 6, 8, 11];
const say = (line: string) => process.stdout.write(`${line}\n`);
const line = (cells: readonly string[]) => cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(" ");

async function run(options: ChaosOptions): Promise<boolean> {
  const folder = resolve(options.data ?? mkdtempSync(join(tmpdir(), "croupier-chaos-")));
  mkdirSync(folder, { recursive: true });
  // If we are root, Postgres runs as another user, who needs access to the folder.
  chmodSync(folder, 0o711);
  const { plan, leftOut } = await feasible(planOf(options), options);
  const all = plan.reduce((sum, { faults }) => sum + faults.length, 0);
  const started = performance.now();
  const rounds: RoundResult[] = [];
  const acts: ActResult[] = [];
  const brokeOff: string[] = [];
  say(`seed ${options.seed}, data and logs in ${folder}`);
  for (const sentence of leftOut) say(sentence);
  say(line(header));
  let share = 0;
  for (const act of plan) {
    share += act.faults.length / all;
    const played = playAct(act, options, {
      folder,
      started,
      until: started + options.minutes * 60_000 * share,
      eventsPerFault: Math.ceil(options.events / all),
      onRound: (round) => {
        rounds.push(round);
        say(line(cells(round)));
        for (const what of [...round.ends, ...round.wrong]) say(`  ${what}`);
      },
    });
    await played.then(
      (result) => acts.push(result),
      (error) => brokeOff.push(`The run on ${act.topology} broke off: ${String(error)}`),
    );
  }
  const report: Report = {
    command: commandOf(options),
    seed: options.seed,
    date: new Date(),
    tookMs: performance.now() - started,
    rounds,
    acts,
    leftOut,
    brokeOff,
  };
  say("");
  say(machine(report));
  for (const sentence of summary(report)) say(sentence);
  if (options.report !== undefined) writeFileSync(options.report, markdown(report));
  const clean = isClean(report);
  if (clean && options.data === undefined) rmSync(folder, { recursive: true, force: true });
  else say(`Data and logs are kept in ${folder}.`);
  return clean;
}

/** The command that repeats this run, without the paths of its files. */
function commandOf({ seed }: ChaosOptions): string {
  const args = process.argv
    .slice(2)
    .join(" ")
    .replaceAll(/--(data|report|nats-server)[ =]\S+ ?/g, "");
  return `npm run chaos -- ${args.includes("--seed") ? "" : `--seed ${seed} `}${args}`.trim();
}

await runCommand({
  name: "chaos",
  build: chaosCommand,
  variables: [],
  async run(options) {
    // The guard kills what a failed run has left running.
    process.exit((await run(options)) ? exitCode.ok : exitCode.failed);
  },
});
