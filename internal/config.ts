import {
  bytes,
  duration,
  integer,
  names,
  natsUrls,
  oneOf,
  passwords,
  postgresUrl,
  readableFile,
  text,
  url,
} from "./config-values.ts";
import { logLevels, withoutPassword } from "./log.ts";

/** One environment variable: what it is for, its default as text, and how its text becomes a value. */
interface Variable<T> {
  readonly doc: string;
  /** The text used when the variable is unset or empty; without one the variable is required or optional. */
  readonly default?: string;
  /** Throws an Error whose message completes the sentence "NAME must …". */
  readonly parse: (text: string) => T;
  /** How a text that is wrong is shown, where it may hold a secret. */
  readonly show?: (text: string) => string;
}

function define<T>(variable: Variable<T>): Variable<T> {
  return variable;
}

/** Every environment variable that Croupier reads, once. Nothing else reads `process.env`. */
export const variables = {
  NATS_URL: define({
    doc: "NATS servers, comma-separated; user:password@ or token@ in the URL",
    default: "nats://127.0.0.1:4222",
    parse: natsUrls,
    show: withoutPassword,
  }),
  NATS_CREDS: define({ doc: "path of a NATS credentials file", parse: readableFile }),
  NATS_REPLICAS: define({ doc: "replicas of streams and buckets", default: "1", parse: integer(1, 5) }),
  DATABASE_URL: define({
    doc: "Postgres",
    default: "postgres://casino:casino@127.0.0.1:5432/casino",
    parse: postgresUrl,
    show: withoutPassword,
  }),
  DATABASE_PASSWORDS: define({
    doc: "passwords with which `migrate` lets the services' own roles log in, `gateway=…,enricher=…`; unset = it sets none",
    parse: passwords,
    show: () => "***",
  }),
  REDIS_URL: define({
    doc: "Redis; unset = one machine only: no lock around the rates API, rate limits of each gateway for itself",
    parse: url(["redis:", "rediss:"]),
    show: withoutPassword,
  }),
  RATES_URL: define({
    doc: "rates API, EUR-based; needed by the step `currency`",
    parse: url(["http:", "https:"]),
    show: withoutPassword,
  }),
  RATES_API_KEY: define({ doc: "sent to the rates API as `access_key`", parse: text }),
  HTTP_PORT: define({
    doc: "port of the service's HTTP (health and routes); 0 = any free one",
    parse: integer(0, 65_535),
  }),
  HTTP_HOST: define({ doc: "address that HTTP listens on", default: "127.0.0.1", parse: text }),
  STEPS: define({
    doc: "the steps this enricher runs; unset = all of the pipeline: currency,player,description",
    parse: names,
  }),
  LOG_LEVEL: define({
    doc: "least level that is logged",
    default: "info",
    parse: oneOf(logLevels),
  }),
  MATERIALIZER_REPLAY: define({
    doc: "`on` folds all retained events at start, `off` starts from zero",
    default: "on",
    parse: oneOf(["on", "off"]),
  }),
  EVENTS_MAX_AGE: define({
    doc: "how long CASINO_EVENTS keeps final events",
    default: "24h",
    parse: duration,
  }),
  EVENTS_MAX_BYTES: define({ doc: "most bytes in CASINO_EVENTS", default: "4GiB", parse: bytes }),
  QUEUE_MAX_BYTES: define({
    doc: "most bytes in each work queue and in CASINO_DEAD",
    default: "1GiB",
    parse: bytes,
  }),
  RATE_LIMIT: define({
    doc: "requests per second and API key",
    default: "1000",
    parse: integer(1, 1_000_000),
  }),
  DEAD_MAX_AGE: define({ doc: "how long CASINO_DEAD keeps dead letters", default: "30d", parse: duration }),
  ARCHIVE_RETENTION: define({
    doc: "how long Postgres keeps final events, from when CASINO_EVENTS stored them; unset = for ever",
    parse: duration,
  }),
} as const;

export type VariableName = keyof typeof variables;
export const variableNames = Object.keys(variables) as readonly VariableName[]; // the keys of a literal

type Value<N extends VariableName> = ReturnType<(typeof variables)[N]["parse"]>;
/** Variables without a default are `undefined` when unset. HTTP_PORT always has one: its service's. */
type Optional = "NATS_CREDS" | "REDIS_URL" | "RATES_URL" | "RATES_API_KEY" | "STEPS" | "ARCHIVE_RETENTION";

/** The parsed variables a service asked for, by name. */
export type Config<N extends VariableName = VariableName> = {
  readonly [K in N]: K extends Optional ? Value<K> | undefined : Value<K>;
};

/** All that is wrong with the environment, one sentence each; a service then exits with 78 (EX_CONFIG). */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

/**
 * Rules that span several variables: given those that are right in themselves, returns what completes the sentence
 * "NAME must …" for those that are wrong together.
 */
export type Check<N extends VariableName> = (config: Partial<Config<N>>) => Partial<Record<N, string>>;

/** Those of the variables that the environment sets to something. */
export function setVariables<N extends VariableName>(
  names: readonly N[],
  env: NodeJS.ProcessEnv = process.env,
): readonly N[] {
  return names.filter((name) => env[name]);
}

/**
 * Reads and checks the named variables; one that is empty counts as unset.
 * @param defaults texts that stand in for a default that differs per service (HTTP_PORT).
 * @throws ConfigError with every problem at once; passwords and keys are never quoted.
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
      problems.set(name, `${err instanceof Error ? err.message : String(err)}, not "${shown}"`);
    }
  }
  const right = config as Partial<Config<N>>; // each name was parsed by its own variable above
  for (const name of names) {
    const wrong = check(right)[name];
    if (wrong !== undefined && !problems.has(name)) problems.set(name, wrong);
  }
  if (problems.size > 0)
    throw new ConfigError([...problems].map(([name, problem]) => `${name} must ${problem}.`));
  return right as Config<N>; // no problem: none is missing
}
