import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ConfigError, readConfig, setVariables } from "./config.ts";
import { type VariableName, variables } from "./variables.ts";

const allNames = Object.keys(variables) as VariableName[]; // its keys are exactly these

/** Reads one variable from an environment with nothing else. */
function read(name: VariableName, text?: string): unknown {
  return readConfig([name], {}, text === undefined ? {} : { [name]: text })[name];
}

function problemsOf(env: NodeJS.ProcessEnv, names = allNames): readonly string[] {
  try {
    readConfig(names, {}, env);
  } catch (err) {
    if (err instanceof ConfigError) return err.problems;
    throw err;
  }
  return [];
}

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const GiB = 2 ** 30;

test("an empty environment gives the defaults", () => {
  expect(readConfig(allNames, {}, {})).toEqual({
    NATS_URL: "nats://127.0.0.1:4222",
    NATS_REPLICAS: 1,
    DELIVERY_DISABLE_AFTER: 5 * day,
    DELIVERY_RETENTION: 7 * day,
    DELIVERY_RETRIES: [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400].map((s) => s * 1_000),
    BUNDLES: "on",
    OTEL_TRACES_SAMPLER: "parentbased_always_on",
    OTEL_TRACES_SAMPLER_ARG: 1,
    DATABASE_URL: "postgres://casino:casino@127.0.0.1:5432/casino",
    HTTP_HOST: "127.0.0.1",
    CROUPIER_DATA: ".data",
    LOG_LEVEL: "info",
    MATERIALIZER_REPLAY: "on",
    EVENTS_MAX_AGE: day,
    EVENTS_MAX_BYTES: 4 * GiB,
    QUEUE_MAX_BYTES: GiB,
    RATE_LIMIT: 1000,
    FIGURES: "public",
    DUPLICATE_WINDOW: 300_000,
    EVENT_MAX_AHEAD: day,
    DEAD_MAX_AGE: 30 * day,
  });
});

test("an empty variable counts as unset", () => {
  const empty = Object.fromEntries(allNames.map((name) => [name, ""]));
  expect(readConfig(allNames, {}, empty)).toEqual(readConfig(allNames, {}, {}));
  expect(setVariables(["NATS_URL", "REDIS_URL", "STEPS"], { NATS_URL: "", REDIS_URL: "redis://h" })).toEqual([
    "REDIS_URL",
  ]);
});

test("a service's own default stands where nothing is set", () => {
  expect(readConfig(["HTTP_PORT"], { HTTP_PORT: "3001" }, {}).HTTP_PORT).toBe(3001);
  expect(readConfig(["HTTP_PORT"], { HTTP_PORT: "3001" }, { HTTP_PORT: "0" }).HTTP_PORT).toBe(0);
});

// A credentials file is told by these words, which this file has: BEGIN NATS USER JWT, BEGIN USER NKEY SEED.
const file = import.meta.filename;
const key = Buffer.alloc(32, 1).toString("base64");
const accepted: readonly (readonly [VariableName, string, unknown])[] = [
  ["NATS_REPLICAS", "5", 5],
  ["NATS_CREDS", file, file],
  ["HTTP_PORT", "65535", 65_535],
  ["HTTP_HOST", "0.0.0.0", "0.0.0.0"],
  ["HTTP_HOST", "::1", "::1"],
  ["HTTP_HOST", "node-1.example.com", "node-1.example.com"],
  ["STEPS", "player", ["player"]],
  ["STEPS", " player , description ", ["player", "description"]],
  ["LOG_LEVEL", "silent", "silent"],
  ["MATERIALIZER_REPLAY", "off", "off"],
  ["EVENTS_MAX_AGE", "90s", 90_000],
  ["EVENTS_MAX_AGE", "15m", 15 * minute],
  ["EVENTS_MAX_AGE", "24 h", day],
  ["DEAD_MAX_AGE", "36500d", 36_500 * day],
  ["EVENT_MAX_AHEAD", "90s", 90_000],
  ["EVENT_MAX_AHEAD", "off", Number.POSITIVE_INFINITY],
  ["EVENTS_MAX_BYTES", "1048576", 2 ** 20],
  ["EVENTS_MAX_BYTES", "512MiB", 2 ** 29],
  ["QUEUE_MAX_BYTES", "4 GiB", 4 * GiB],
  ["QUEUE_MAX_BYTES", "2TiB", 2 ** 41],
  ["RATES_API_KEY", "any thing", "any thing"],
  ["RATE_LIMIT", "5", 5],
  ["FIGURES", "keys", "keys"],
  ["DELIVERY_KEY", `${key}, ${key}`, [Buffer.alloc(32, 1), Buffer.alloc(32, 1)]],
  [
    "DELIVERY_ALLOW_PRIVATE",
    "10.0.0.0/8, fd00::/12",
    [
      [expect.objectContaining({ octets: [10, 0, 0, 0] }), 8],
      [expect.objectContaining({ parts: [0xfd00, 0, 0, 0, 0, 0, 0, 0] }), 12],
    ],
  ],
  ["DELIVERY_RETRIES", "1s, 2m", [1_000, 120_000]],
];
test.each(accepted)("%s=%s", (name, text, value) => {
  expect(read(name, text)).toEqual(value);
});

const acceptedUrls: readonly (readonly [VariableName, string])[] = [
  ["NATS_URL", "127.0.0.1"],
  ["NATS_URL", "localhost:4222"],
  ["NATS_URL", "one:4222, two:4222"],
  ["NATS_URL", "nats://user:password@one:4222,nats://user:password@two:4222"],
  ["NATS_URL", "token@one:4222"],
  ["NATS_URL", "tls://[::1]:4222"],
  ["DATABASE_URL", "postgresql:///casino?host=/var/run/postgresql"],
  ["DATABASE_URL", "postgres://casino:a,b@h/db?sslmode=require"],
  ["DATABASE_URL", "postgres://h/db?max=10&statement_timeout=30000&sslmode=no-verify&application_name=x"],
  ["REDIS_URL", "rediss://:password@h:6379/2"],
  ["REDIS_URL", "redis://:100%25%23%2F%3F@h/"],
  ["NATS_URL", "nats://user:100%25%23%2F%3F@h"],
  ["NATS_URL", "nats://user:a@b@h"],
  ["DATABASE_URL", "postgres://casino:100%25%23%2F%3F@h/my%20db?application_name=a@b"],
  ["RATES_URL", "http://user:100%25%23%2F%3F@h/latest"],
  ["RATES_URL", "https://h/latest?account=me@example.com"],
  ["RATES_URL", "https://api.example.com/latest?symbols=USD,GBP&base=EUR"],
];
test.each(acceptedUrls)("%s=%s stays as it is", (name, text) => {
  expect(read(name, text)).toBe(text);
});

const refused: readonly (readonly [VariableName, string])[] = [
  ["NATS_REPLICAS", "0"],
  ["NATS_REPLICAS", "6"],
  ["NATS_REPLICAS", "1.0"],
  ["NATS_URL", ","],
  ["NATS_URL", "nats://"],
  ["NATS_URL", "one:4222,"],
  ["NATS_URL", "one:port"],
  ["NATS_URL", "http://one:4222"],
  ["NATS_CREDS", join(tmpdir(), "no such file")],
  ["NATS_CREDS", join(import.meta.dirname, "config.ts")],
  ["DATABASE_URL", "127.0.0.1:5432/casino"],
  ["DATABASE_URL", "mysql://h/db"],
  ["DATABASE_URL", "postgres://h/db?max=0"],
  ["DATABASE_URL", "postgres://h/db?max=many"],
  ["DATABASE_URL", "postgres://h/db?statement_timeout=10s"],
  ["DATABASE_URL", "postgres://h/db?lock_timeout=-1"],
  ["DATABASE_URL", "postgres://h/db?sslmode=verify_full"],
  ["DATABASE_URL", "postgres://h/db?sslmode=verify-full&sslrootcert=/no/such/file"],
  ["DATABASE_PASSWORDS", "secret"],
  ["DATABASE_PASSWORDS", "gateway="],
  ["DATABASE_PASSWORDS", "gateway=a,gateway=b"],
  ["DATABASE_PASSWORDS", "gateway=a b"],
  ["REDIS_URL", "localhost:6379"],
  ["REDIS_URL", "redis://h:6379/abc"],
  ["REDIS_URL", "redis://h:6379/1/2"],
  ["DELIVERY_KEY", "short"],
  ["DELIVERY_KEY", `${key},`],
  ["DELIVERY_ALLOW_PRIVATE", "10.0.0.1"],
  ["DELIVERY_RETRIES", "5s,"],
  ["DELIVERY_PROXY", "proxy:3128"],
  ["RATES_URL", "api.example.com"],
  ["RATES_URL", "ftp://api.example.com"],
  ["HTTP_HOST", "two words"],
  ["HTTP_HOST", "[::1]"],
  ["HTTP_HOST", "127.0.0.1:3000"],
  ["HTTP_PORT", "-1"],
  ["HTTP_PORT", "65536"],
  ["HTTP_PORT", "3000 "],
  ["HTTP_PORT", "0x10"],
  ["STEPS", "currency,,player"],
  ["STEPS", "player,player"],
  ["LOG_LEVEL", "INFO"],
  ["MATERIALIZER_REPLAY", "true"],
  ["RATE_LIMIT", "0"],
  ["FIGURES", "private"],
  ["EVENTS_MAX_AGE", "24"],
  ["EVENTS_MAX_AGE", "0s"],
  ["EVENTS_MAX_AGE", "-1d"],
  ["EVENTS_MAX_AGE", "1.5h"],
  ["EVENTS_MAX_AGE", "36501d"],
  ["EVENTS_MAX_AGE", `${"9".repeat(400)}d`],
  ["EVENTS_MAX_BYTES", "1KiB"],
  ["EVENTS_MAX_BYTES", "4GB"],
  ["EVENTS_MAX_BYTES", "1e9"],
  ["EVENTS_MAX_BYTES", "9007199254740992"],
];
test.each(refused)("%s=%s is refused in one sentence that names it", (name, text) => {
  const problems = problemsOf({ [name]: text });
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatch(new RegExp(`^${name} must [^\n]+, not "[^\n]*"\\.$`));
});

test("all problems are reported at once, each variable once", () => {
  const env = { NATS_REPLICAS: "none", DATABASE_URL: "nowhere", LOG_LEVEL: "loud", DEAD_MAX_AGE: "forever" };
  const problems = problemsOf(env, [...allNames, "NATS_REPLICAS"]);
  expect(problems.map((problem) => problem.split(" ")[0])).toEqual(Object.keys(env));
});

describe("rules over several variables", () => {
  const names = ["STEPS", "RATES_URL"] as const;
  const readBoth = (env: NodeJS.ProcessEnv) =>
    readConfig(names, {}, env, ({ STEPS, RATES_URL }) => ({
      ...(STEPS?.includes("nonsense") ? { STEPS: "make sense" } : {}),
      ...(RATES_URL === undefined ? { RATES_URL: "be set" } : {}),
    }));

  test("hold beside those of each variable, which come first", () => {
    expect(() => readBoth({ STEPS: "nonsense", RATES_URL: "ftp://h" })).toThrow(
      new ConfigError([
        'RATES_URL must be a URL that starts with http:// or https://, not "ftp://h".',
        "STEPS must make sense.",
      ]),
    );
    expect(() => readBoth({})).toThrow(new ConfigError(["RATES_URL must be set."]));
  });

  test("let through what is right", () => {
    expect(readBoth({ STEPS: "player", RATES_URL: "http://h/" })).toEqual({
      STEPS: ["player"],
      RATES_URL: "http://h/",
    });
  });
});

test("a name that is probably misspelt is named beside the problems, one of them may come from it", () => {
  expect(problemsOf({ RATE_LIMIT: "0", NATS_ULR: "nats://h" })).toEqual([
    expect.stringMatching(/^RATE_LIMIT must /),
    "NATS_ULR is set, but is no variable of ours: did you mean NATS_URL?",
  ]);
});

test("a wrong value shows neither password nor key", () => {
  const problems = problemsOf({
    NATS_URL: "nats://user:se/cret@host",
    DATABASE_URL: "mysql://user:secret@host/db",
    REDIS_URL: "http://:secret@host",
    RATES_URL: "ftp://api.example.com/secret?access_key=secret",
  });
  expect(problems).toHaveLength(4);
  expect(problems.join("\n")).not.toContain("cret");
  expect(problems[1]).toContain('not "mysql://***@host"');
});

test("a wrong value of any length makes a short sentence", () => {
  expect(problemsOf({ LOG_LEVEL: "x".repeat(10_000) })[0]?.length).toBeLessThan(250);
});

test("what a password makes unreadable is said for all variables together, without the password", () => {
  const passwords = ["s3cret%", "s3cret%zz", "s3cret#x", "12#s3cret", "s3cret/x", "12/s3cret", "%E0%A4%A"];
  for (const password of passwords) {
    const given = {
      NATS_URL: `nats://user:${password}@h:4222`,
      DATABASE_URL: `postgres://casino:${password}@h/casino`,
      REDIS_URL: `redis://:${password}@h`,
      RATES_URL: `http://user:${password}@h/latest`,
    };
    const names = ["NATS_URL", "DATABASE_URL", "REDIS_URL", "RATES_URL"] as const;
    const problem = () => readConfig(names, {}, given);
    expect(problem).toThrow(ConfigError);
    try {
      problem();
    } catch (err) {
      const { problems } = err as ConfigError; // as the line above says
      expect(problems, password).toHaveLength(4);
      for (const [index, name] of names.entries()) {
        expect(problems[index]).toMatch(new RegExp(`^${name} must .*percent-encode`));
        expect(problems[index]).not.toContain("s3cret");
      }
    }
  }
  expect(() => readConfig(["REDIS_URL"], {}, { REDIS_URL: "redis://:12?s3cret@h" })).toThrow(
    "percent-encode",
  );
});
