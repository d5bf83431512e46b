import { reasonOf } from "./log.ts";
import { nearMiss } from "./near-miss.ts";
import { type Variable, type VariableName, variableNames, variables } from "./variables.ts";

type Value<N extends VariableName> = ReturnType<(typeof variables)[N]["parse"]>;
/** Variables without a default are `undefined` when unset. HTTP_PORT always has one: its service's. */
type HasDefault<N extends VariableName> = (typeof variables)[N] extends { readonly default: string }
  ? true
  : N extends "HTTP_PORT"
    ? true
    : false;

/** The parsed variables a service asked for, by name. */
export type Config<N extends VariableName = VariableName> = {
  readonly [K in N]: HasDefault<K> extends true ? Value<K> : Value<K> | undefined;
};

/** All problems of the environment, one sentence each; a service then exits with 78 (EX_CONFIG). */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

/**
 * Rules over several variables: given those that are valid by themselves, returns the rest of the sentence "NAME must …"
 * for those that do not fit together.
 */
export type Check<N extends VariableName> = (config: Partial<Config<N>>) => Partial<Record<N, string>>;

/** Those of the variables that the environment sets. */
export function setVariables<N extends VariableName>(
  names: readonly N[],
  env: NodeJS.ProcessEnv = process.env,
): readonly N[] {
  return names.filter((name) => env[name]);
}

/**
 * Reads and checks the named variables; an empty one counts as unset.
 * @param defaults texts for defaults that differ between services (HTTP_PORT)
 * @throws ConfigError with all problems at once, and with names that may be misspelt; it never quotes passwords or keys
 */
export function readConfig<N extends VariableName>(
  names: readonly N[],
  defaults: Partial<Record<VariableName, string>> = {},
  env: NodeJS.ProcessEnv = process.env,
  check: Check<N> = () => ({}),
): Config<N> {
  const problems = new Map<VariableName, string>();
  const config: Partial<Record<VariableName, unknown>> = {};
  for (const name of names) {
    const variable: Variable<unknown> = variables[name];
    const given = env[name] || defaults[name] || variable.default;
    if (given === undefined) continue;
    try {
      config[name] = variable.parse(given);
    } catch (err) {
      const shown = variable.show?.(given) ?? given.slice(0, 100);
      problems.set(name, `${reasonOf(err)}, not "${shown}"`);
    }
  }
  const right = config as Partial<Config<N>>; // each name was parsed by its own variable above
  for (const name of names) {
    const wrong = check(right)[name];
    if (wrong !== undefined && !problems.has(name)) problems.set(name, wrong);
  }
  if (problems.size > 0) {
    const sentences = [...problems].map(([name, problem]) => `${name} must ${problem}.`);
    throw new ConfigError([...sentences, ...misspeltVariables(env)]);
  }
  return right as Config<N>; // no problem: none is missing
}

/**
 * The part of a help that lists variables; empty where there are none.
 * @param presets defaults that differ between services
 */
export function environmentHelp(
  names: readonly VariableName[],
  presets: Partial<Record<VariableName, string>> = {},
): string {
  if (names.length === 0) return "";
  const lines = [...new Set(names)].map((name) => {
    const { doc, default: usual }: { doc: string; default?: string } = variables[name];
    const preset = presets[name] ?? usual;
    return `  ${name} `.padEnd(24) + doc + (preset === undefined ? "" : ` (default ${preset})`);
  });
  return ["", "Environment:", ...lines].join("\n");
}

/** What npm reports about the running script: npm's command, the script's name, and the flags that npm took. */
export function npmConfig(env: NodeJS.ProcessEnv = process.env): {
  readonly command: string | undefined;
  readonly script: string | undefined;
  /** Names in lower case, with underscores. */
  readonly values: ReadonlyMap<string, string>;
} {
  const values = Object.entries(env).flatMap(([name, value]) =>
    name.startsWith("npm_config_") ? [[name.slice("npm_config_".length), value ?? ""] as const] : [],
  );
  // Older versions say run-script.
  const command = env.npm_command?.replace("run-script", "run");
  return { command, script: env.npm_lifecycle_event, values: new Map(values) };
}

/** A sentence for each variable of the environment that we do not know, but whose name is close to one that is not set. */
export function misspeltVariables(env: NodeJS.ProcessEnv = process.env): readonly string[] {
  const unset = variableNames.filter((name) => !env[name]);
  return Object.keys(env).flatMap((name) => {
    const meant = name in variables ? undefined : nearMiss(name, unset);
    return meant === undefined ? [] : [`${name} is set, but is no variable of ours: did you mean ${meant}?`];
  });
}
