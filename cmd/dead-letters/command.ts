import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { filterForms, type LetterFilter, readSeq } from "../../internal/dead-letters/filter.ts";
import type { Reading } from "../../internal/service/command-line.ts";
import { integer } from "../../internal/service/config-values.ts";

type FilterName = keyof typeof filterForms;

/** The letters that a command selects: one, or all that match. */
export type Target = { readonly seq: number } | { readonly all: LetterFilter };

export type DeadLettersCommand =
  | { readonly do: "list"; readonly filter: LetterFilter; readonly limit: number; readonly json: boolean }
  | { readonly do: "show"; readonly seq: number; readonly raw: boolean; readonly json: boolean }
  | {
      readonly do: "replay";
      readonly target: Target;
      /** Path of the file whose bytes are sent instead of the payload. */
      readonly payload: string | undefined;
      readonly dryRun: boolean;
    }
  | { readonly do: "discard"; readonly target: Target; readonly yes: boolean };

const defaultLimit = 20;
const maxLimit = 10_000;

export function deadLettersCommand(reading: Reading<DeadLettersCommand>): CommandUnknownOpts {
  const program = reading.program(
    "dead-letters",
    "Shows dead letters, replays them, or discards them. --reason, --step and --client combine. Replaying removes the letter; if the event fails again, it becomes another letter with a higher count of replays.",
  );
  const filter = (name: FilterName) =>
    reading.option(`--${name} <${name}>`, `only of this ${name}`, (text) => {
      if (!filterForms[name].fits(text)) throw new Error(filterForms[name].must);
      return text;
    });
  const seq = <F extends string>(form: F) =>
    reading.argument(form, 'the number of a letter, as "dead-letters list" shows it', (text) => {
      const read = readSeq(text);
      if (read === undefined) throw new Error('be an integer from 1 on, as "dead-letters list" shows it');
      return read;
    });
  const targetOf = (one: number | undefined, all: boolean, filters: LetterFilter, name: string): Target => {
    if (all && one !== undefined) reading.problems.push(`${name} takes <seq> or --all, not both.`);
    if (!all && one === undefined) reading.problems.push(`Say which: dead-letters ${name} <seq>, or --all.`);
    const narrowing = Object.keys(filters);
    if (!all && narrowing.length > 0) reading.problems.push(`--${narrowing[0]} goes with --all only.`);
    return all ? { all: filters } : { seq: one ?? 0 };
  };

  program
    .command("list")
    .description("counts by reason, step and client, and the newest letters")
    .addOption(filter("reason"))
    .addOption(filter("step"))
    .addOption(filter("client"))
    .addOption(
      reading.option("--limit <n>", `how many of the newest (default: ${defaultLimit})`, (text) =>
        integer(1, maxLimit)(text),
      ),
    )
    .option("--json", "as JSON, for scripts")
    .action(({ limit = defaultLimit, json = false, ...filters }) =>
      reading.ask({ do: "list", filter: filterOf(filters), limit, json }),
    );
  program
    .command("show")
    .description("one letter: error, headers, payload")
    .addArgument(seq("<seq>"))
    .option("--raw", "only the payload, unchanged")
    .option("--json", "as JSON, for scripts")
    .action((one, { raw = false, json = false }) => {
      if (raw && json) reading.problems.push("show takes --raw or --json, not both.");
      reading.ask({ do: "show", seq: one, raw, json });
    });
  program
    .command("replay")
    .description("send a letter, or all that match, oldest first, to where they failed")
    .addArgument(seq("[seq]"))
    .option("--all", "all that match the filters")
    .addOption(filter("reason"))
    .addOption(filter("step"))
    .addOption(filter("client"))
    .option("--payload <file>", "send this instead of the payload")
    .option("--dry-run", "send nothing, only report what would pass now")
    .action((one, { all = false, payload, dryRun = false, ...filters }) => {
      if (all && payload !== undefined) reading.problems.push("--payload goes with <seq> only.");
      reading.ask({ do: "replay", target: targetOf(one, all, filterOf(filters), "replay"), payload, dryRun });
    });
  program
    .command("discard")
    .description("remove a letter, or all that match, for good; asks first")
    .addArgument(seq("[seq]"))
    .option("--all", "all that match the filters")
    .addOption(filter("reason"))
    .addOption(filter("step"))
    .addOption(filter("client"))
    .option("-y, --yes", "do not ask")
    .action((one, { all = false, yes = false, ...filters }) =>
      reading.ask({ do: "discard", target: targetOf(one, all, filterOf(filters), "discard"), yes }),
    );
  return program;
}

function filterOf(filters: { readonly [K in FilterName]?: string | undefined }): LetterFilter {
  return Object.fromEntries(Object.entries(filters).filter(([, text]) => text !== undefined));
}
