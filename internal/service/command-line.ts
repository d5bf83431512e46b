import {
  Argument,
  Command,
  CommanderError,
  type CommandUnknownOpts,
  Option,
} from "@commander-js/extra-typings";
import manifest from "../../package.json" with { type: "json" };
import { reasonOf } from "./log.ts";
import { nearMiss } from "./near-miss.ts";
import { flagsTakenByNpm } from "./npm-flags.ts";

/** The command line is wrong: one sentence per problem, for the person who typed it. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

/** The command line asks only for a text: `--help` or `--version`. */
export class TextAsked {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** The result of reading a command line, while it is read. */
export class Reading<T> {
  /** Invalid values: reading goes on, so that all problems are reported at once. */
  readonly problems: string[] = [];
  /** What commander would have printed. */
  said = "";
  command: { readonly asked: T } | undefined;
  readonly #environment: string;

  /** @param environment the end of the help */
  constructor(environment = "") {
    this.#environment = environment;
  }

  /** Called by the action of a command: this is what was asked for. */
  ask(command: T): void {
    this.command = { asked: command };
  }

  /** The command `croupier <name>`, to which flags, arguments and subcommands are added. */
  program(name: string, summary: string): Command {
    const hear = (text: string): void => {
      this.said += text;
    };
    return new Command(`croupier ${name}`.trim())
      .description(summary)
      .helpOption("-h, --help", "this text")
      .helpCommand(false)
      .version(`croupier ${manifest.version}`, "--version", "the version")
      .configureHelp({
        styleTitle: (title) => title.replace("Options:", "Flags:"),
        commandUsage: usageOf,
        subcommandTerm: (command) => [command.name(), ...argumentsOf(command)].join(" "),
        helpWidth: 128,
      })
      .configureOutput({ writeOut: hear, writeErr: hear, outputError: () => undefined })
      .exitOverride()
      .allowExcessArguments()
      .addHelpText("after", this.#environment);
  }

  /**
   * A flag whose text is parsed into a value.
   * @param parse throws an Error whose message completes the sentence "--name must …"
   */
  option<U extends string, V>(
    flags: U,
    doc: string,
    parse: (text: string) => V,
  ): Option<U, undefined, undefined, V> {
    const option = new Option(flags, doc);
    return option.argParser((text: string) => this.#parsed(`--${option.name()}`, text, parse));
  }

  /** As `option`, for a flag that may be repeated: collects all values. */
  repeatable<U extends string, V>(
    flags: U,
    doc: string,
    parse: (text: string) => V,
  ): Option<U, undefined, undefined, readonly V[]> {
    const option = new Option(flags, doc);
    return option.argParser((text: string, before: readonly V[] = []): readonly V[] => {
      const value = this.#parsed(`--${option.name()}`, text, parse);
      // The actions of a wrong command line run too, and see only good values.
      return value === undefined ? before : [...before, value];
    });
  }

  /** As `option`, for an argument. */
  argument<U extends string, V>(form: U, doc: string, parse: (text: string) => V): Argument<U, undefined, V> {
    const name = form.replace(/^\[(.*)\]$/, "<$1>");
    return new Argument(form, doc).argParser((text: string) => this.#parsed(name, text, parse));
  }

  #parsed<V>(name: string, text: string, parse: (text: string) => V): V {
    try {
      // commander takes anything that follows as the value, even the next flag.
      if (name.startsWith("--") && text.startsWith("--")) throw new Error("have a value");
      return parse(text);
    } catch (err) {
      const must = reasonOf(err);
      this.problems.push(`${name} must ${must}, not "${text.slice(0, 100)}".`);
      return undefined as V; // never used: with a problem no command is run
    }
  }
}

/** Adds flags and arguments to a program. Its actions only `ask`: reading a command line has no other effect. */
export type Build<T> = (reading: Reading<T>) => CommandUnknownOpts;

/**
 * Reads a command line.
 * @param environment the end of the help: `environmentHelp`
 * @throws UsageError with all problems
 */
export function readCommandLine<T>(
  build: Build<T>,
  args: readonly string[],
  environment = "",
): T | TextAsked {
  const problems: string[] = [];
  for (let rest = args; ; ) {
    const reading = new Reading<T>(environment);
    const program = build(reading);
    const taken = flagsTakenByNpm(program, args);
    if (taken !== undefined) throw new UsageError([taken]);
    try {
      program.parse(rest, { from: "user" });
      problems.push(...excess(leafOf(program, rest)));
    } catch (err) {
      if (!(err instanceof CommanderError)) throw err;
      if (err.code === "commander.helpDisplayed" || err.code === "commander.version")
        return new TextAsked(reading.said);
      // A group without a subcommand shows its help.
      if (err.code === "commander.help" && problems.length === 0) return new TextAsked(reading.said);
      if (err.code !== "commander.help") problems.push(sentence(err, leafOf(program, rest)));
      // commander stops at the first unknown flag; there may be more problems.
      const unknown = unknownFlag(err);
      if (unknown !== undefined && rest.includes(unknown)) {
        rest = withoutFlag(rest, unknown, leafOf(program, rest));
        continue;
      }
    }
    problems.push(...reading.problems);
    if (problems.length > 0) throw new UsageError([...new Set(problems)]);
    if (reading.command === undefined)
      throw new Error(`${program.name()} asks for nothing: an action must ask`);
    return reading.command.asked;
  }
}

/** commander's usage line, with flags after arguments, as people type them. */
function usageOf(command: CommandUnknownOpts): string {
  const group = command.commands.length > 0 ? ["<command>"] : [];
  const required = command.options.filter(({ mandatory }) => mandatory).map(({ flags }) => flags);
  return [pathOf(command), ...group, ...argumentsOf(command), ...required, "[flags]"].join(" ");
}

/** The words that lead to a command, from `croupier` on. */
function pathOf(command: CommandUnknownOpts): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

function argumentsOf({ registeredArguments }: CommandUnknownOpts): readonly string[] {
  return registeredArguments
    .filter(({ variadic }) => !variadic)
    .map((argument) => (argument.required ? `<${argument.name()}>` : `[<${argument.name()}>]`));
}

/** The command that these words name. */
function leafOf(program: CommandUnknownOpts, args: readonly string[]): CommandUnknownOpts {
  let leaf = program;
  for (const arg of args) {
    const next = leaf.commands.find((command) => command.name() === arg);
    if (next !== undefined) leaf = next;
    else if (!arg.startsWith("-")) break;
  }
  return leaf;
}

function excess(leaf: CommandUnknownOpts): readonly string[] {
  if (leaf.registeredArguments.some(({ variadic }) => variadic)) return [];
  return leaf.args
    .slice(leaf.registeredArguments.length)
    .map((extra) => `"${extra.slice(0, 100)}" is not expected: it is ${usageOf(leaf)}.`);
}

function unknownFlag({ code, message }: CommanderError): string | undefined {
  return code === "commander.unknownOption" ? /option '(.*?)'(\n|$)/.exec(message)?.[1] : undefined;
}

/** The flag that an unknown one was meant to be: the only one that begins so, or nearly the same. */
function meantFlag(
  unknown: string,
  { options }: CommandUnknownOpts,
): CommandUnknownOpts["options"][number] | undefined {
  const typed = unknown.replace(/=.*/s, "");
  const names = options.flatMap((option) => option.long ?? []);
  const begun = names.filter((name) => name.startsWith(typed));
  const long = begun.length === 1 && typed.length > "--".length ? begun[0] : nearMiss(typed, names);
  return options.find((option) => option.long === long);
}

/** The rest of the command line without an unknown flag, and without its value if the flag that was meant takes one. */
function withoutFlag(args: readonly string[], unknown: string, leaf: CommandUnknownOpts): readonly string[] {
  const at = args.indexOf(unknown);
  const hasValue = meantFlag(unknown, leaf)?.required === true && !unknown.includes("=");
  return args.toSpliced(at, hasValue && args[at + 1]?.startsWith("-") === false ? 2 : 1);
}

/** commander's messages in our words, for people who may not know which command they ran. */
function sentence(err: CommanderError, leaf: CommandUnknownOpts): string {
  const suggested = /\(Did you mean (?:one of )?(.*)\?\)/.exec(err.message)?.[1];
  const named = /'(.*?)'/s.exec(err.message)?.[1]?.slice(0, 100) ?? "";
  const meant = suggested ?? meantFlag(named, leaf)?.long;
  const help = `"${pathOf(leaf)} --help" lists them.`;
  const end = meant === undefined ? `: ${help}` : `: did you mean ${meant}?`;
  switch (err.code) {
    case "commander.unknownOption":
      return `There is no flag ${named.replace(/=.*/s, "")}${end}`;
    case "commander.unknownCommand":
      return `There is no command "${named}"${end}`;
    case "commander.optionMissingArgument":
      return `${named.replace(/^-\w, /, "").split(" ")[0]} needs a value.`;
    case "commander.missingArgument":
    case "commander.missingMandatoryOptionValue":
      return `${named.startsWith("-") ? named : `<${named}>`} is missing: it is ${usageOf(leaf)}.`;
    default:
      return `${err.message.replace(/^error: /, "").replace(/\.$/, "")}.`;
  }
}
