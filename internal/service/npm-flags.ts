import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { npmConfig } from "./config.ts";
import { nearMiss } from "./near-miss.ts";

/**
 * With `npm run <script> --flag` npm takes the flag silently and runs the script without it: a dry run becomes a real
 * one. npm leaves a trace, `npm_config_<flag>` in the script's environment.
 * @returns a sentence when npm took a flag of this program, or one that is nearly such; otherwise undefined
 */
export function flagsTakenByNpm(
  program: CommandUnknownOpts,
  args: readonly string[],
  npm: ReturnType<typeof npmConfig> = npmConfig(),
): string | undefined {
  const name = program.name().replace(/^croupier ?/, "");
  // Child processes inherit npm's variables, which are meant only for the script.
  const isScript = npm.command === "run" && npm.script === name;
  const isExec = npm.command === "exec" && npm.script === "npx";
  if (!isScript && !isExec) return undefined;
  // Several commands may have the same flag.
  const options = [...new Map([...optionsOf(program)].map((option) => [option.long, option])).values()];
  const names = options.flatMap(({ long }) => (long ? [nameOf(long)] : []));
  const misspelt = new Map(
    [...npm.values].flatMap(([name, value]) => {
      const isSet = value !== "" && value !== "false" && !names.includes(name);
      const meant = isSet ? nearMiss(name, names) : undefined;
      return meant === undefined ? [] : [[meant, value] as const];
    }),
  );
  const taken = options.flatMap(({ long, negate, required }) => {
    // `npx --yes` is for npx.
    if (!long || (isExec && long === "--yes")) return [];
    const value = npm.values.get(nameOf(long)) ?? misspelt.get(nameOf(long));
    if (value === undefined || args.some((arg) => arg === long || arg.startsWith(`${long}=`))) return [];
    // npm writes "no" as an empty text, as it does for its own settings that are off.
    if ((value === "") !== negate) return [];
    return [required && value !== "true" ? `${long}=${value}` : required ? `${long} …` : long];
  });
  if (taken.length === 0) return undefined;
  const typed = isScript ? `npm run ${name} --` : `npx croupier ${name}`;
  const words = args.map((arg) => (/^[\w./:@=,-]+$/.test(arg) ? arg : `'${arg}'`));
  return `npm took ${taken.join(" and ")} for itself; type: ${[typed, ...words, ...taken].join(" ")}`;
}

/** As npm writes it. */
function nameOf(long: string): string {
  return long.replace(/^--(no-)?/, "").replaceAll("-", "_");
}

function* optionsOf(command: CommandUnknownOpts): Generator<CommandUnknownOpts["options"][number]> {
  yield* command.options.filter(({ long }) => long !== "--version");
  for (const sub of command.commands) yield* optionsOf(sub);
}
