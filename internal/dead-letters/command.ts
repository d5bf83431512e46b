import { parseCommandLine, UsageError } from "../command-line.ts";
import { filterForms, type LetterFilter } from "./filter.ts";

/** Which letters a command is about: one, or all that match. */
export type Target = { readonly seq: number } | { readonly all: LetterFilter };

/** What a command line asks for. */
export type Command =
  | { readonly do: "help" }
  | { readonly do: "list"; readonly filter: LetterFilter; readonly limit: number }
  | { readonly do: "show"; readonly seq: number; readonly raw: boolean }
  | {
      readonly do: "replay";
      readonly target: Target;
      /** Path of the file whose bytes are sent instead of the payload. */
      readonly payload: string | undefined;
      readonly dryRun: boolean;
    }
  | { readonly do: "discard"; readonly target: Target; readonly yes: boolean };

export const usage = `dead-letters: shows what was set aside, sends it again, or discards it.

  dead-letters list [<filters>] [--limit <n>]      counts by reason, step and client, and the newest <n> (default 20)
  dead-letters show <seq> [--raw]                  one letter: error, headers, payload; --raw prints the payload alone
  dead-letters replay <seq> [--payload <file>] [--dry-run]
                                                   send it to where it failed, with another payload if one is given
  dead-letters replay --all [<filters>] [--dry-run]
                                                   the same for all that match, the oldest first
  dead-letters discard <seq> [--yes]               remove it for good; asks first, unless told --yes
  dead-letters discard --all [<filters>] [--yes]   the same for all that match

Filters: --reason <reason>, --step <step>, --client <client>; together they narrow each other down.
A letter that was sent again is removed; if the event fails once more, it comes back as another letter, with its count of
replays. --dry-run sends nothing and says what would pass now.

Environment:
  NATS_URL              NATS servers, comma-separated (default nats://127.0.0.1:4222)
  NATS_CREDS            path of a NATS credentials file
  DATABASE_URL          Postgres, for --dry-run and --payload: registered clients and types of event
                        (default postgres://casino:casino@127.0.0.1:5432/casino)
  LOG_LEVEL             least level that is logged; each replay and discard is, at info (default info)
`;

const options = {
  reason: { type: "string" },
  step: { type: "string" },
  client: { type: "string" },
  limit: { type: "string" },
  all: { type: "boolean" },
  raw: { type: "boolean" },
  payload: { type: "string" },
  "dry-run": { type: "boolean" },
  yes: { type: "boolean", short: "y" },
  help: { type: "boolean", short: "h" },
} as const;
type Flag = keyof typeof options;

const filterFlags = ["reason", "step", "client"] as const;
const defaultLimit = 20;
const maxLimit = 10_000;

/** Reads a command line. @throws UsageError */
export function readCommand(args: readonly string[]): Command {
  const { values, positionals } = parseCommandLine({ args: [...args], options, allowPositionals: true });
  if (values.help || positionals.length === 0) return { do: "help" };
  const [name = "", ...rest] = positionals;

  const expect = (form: string, count: number, flags: readonly Flag[]): void => {
    if (rest.length !== count) throw new UsageError(`It is: dead-letters ${form}.`);
    for (const flag of Object.keys(values))
      if (!flags.some((known) => known === flag))
        throw new UsageError(
          `--${flag} does not belong to "dead-letters ${name}${values.all ? " --all" : " <seq>"}".`,
        );
  };
  const target = (form: string, flags: readonly Flag[], flagsOfOne: readonly Flag[] = []): Target => {
    if (values.all) {
      expect(`${name} --all [<filters>]${form}`, 0, ["all", ...filterFlags, ...flags]);
      return { all: filterOf(values) };
    }
    if (rest.length === 0) throw new UsageError(`Say which: dead-letters ${name} <seq>, or --all.`);
    expect(`${name} <seq>${form}`, 1, [...flags, ...flagsOfOne]);
    return { seq: seqOf(rest[0]) };
  };
  switch (name) {
    case "list": {
      const misplaced = Object.keys(values).find((flag) => ![...filterFlags, "limit"].includes(flag));
      if (misplaced !== undefined)
        throw new UsageError(`--${misplaced} does not belong to "dead-letters list".`);
      expect("list [<filters>] [--limit <n>]", 0, [...filterFlags, "limit"]);
      return { do: "list", filter: filterOf(values), limit: limitOf(values.limit) };
    }
    case "show":
      expect("show <seq> [--raw]", 1, ["raw"]);
      return { do: "show", seq: seqOf(rest[0]), raw: values.raw ?? false };
    case "replay": {
      const which = target(" [--dry-run]", ["dry-run"], ["payload"]);
      return { do: "replay", target: which, payload: values.payload, dryRun: values["dry-run"] ?? false };
    }
    case "discard":
      return { do: "discard", target: target(" [--yes]", ["yes"]), yes: values.yes ?? false };
    default:
      throw new UsageError(`There is no command "${name.slice(0, 60)}".`);
  }
}

function filterOf(values: LetterFilter): LetterFilter {
  const given = filterFlags.flatMap((name) => {
    const text = values[name];
    if (text === undefined) return [];
    if (!filterForms[name].fits(text))
      throw new UsageError(`--${name} must ${filterForms[name].must}, not "${text.slice(0, 60)}".`);
    return [[name, text] as const];
  });
  return Object.fromEntries(given);
}

function seqOf(text = ""): number {
  const seq = readSeq(text);
  if (seq === undefined)
    throw new UsageError(
      `A letter's number must be an integer from 1 on, as "dead-letters list" shows them, not "${text.slice(0, 60)}".`,
    );
  return seq;
}

/** A letter's number; undefined for a text that is none. */
export function readSeq(text: string): number | undefined {
  return /^\d{1,16}$/.test(text) && Number(text) >= 1 && Number.isSafeInteger(Number(text))
    ? Number(text)
    : undefined;
}

function limitOf(text = String(defaultLimit)): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) < 1 || Number(text) > maxLimit)
    throw new UsageError(`--limit must be an integer from 1 to ${maxLimit}, not "${text.slice(0, 60)}".`);
  return Number(text);
}
