import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { defaultLimits } from "../../test/harness/broker.ts";
import { databaseForTest, natsForTest, redisForTest } from "../../test/harness/infrastructure.ts";
import { tempFolder } from "../../test/harness/temp-folder.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { streamVariables } from "../jetstream/topology.ts";
import { freePort } from "../local/free-port.ts";
import { ConfigError, readConfig } from "../service/config.ts";
import { tryServers } from "./try-servers.ts";

const conf = join(tempFolder("preflight"), "nats.conf");
writeFileSync(
  conf,
  `jetstream { store_dir: $NATS_STORE_DIR }
  accounts {
    WIDE { jetstream: enabled, users: [{ user: wide, password: p }] }
    SMALL { jetstream: { max_file: 2G, max_mem: 0 }, users: [{ user: small, password: p }] }
    TINY { jetstream: { max_file: 10M, max_mem: 0 }, users: [{ user: tiny, password: p }] }
    OFF { users: [{ user: "off", password: p }] }
  }`,
);
const nats = await natsForTest({ config: conf, auth: { user: "wide", pass: "p" } });
const as = (user: string, password = "p") => nats.url.replace("://", `://${user}:${password}@`);
const stages = ["raw", "priced", "profiled", "apart", "final"];
const usual = { limits: readConfig(streamVariables, {}, {}), isSet: false, stages };
const watcher = () => {
  const said: string[] = [];
  return { said, say: (sentence: string) => said.push(sentence), signal: new AbortController().signal };
};

test("servers that let us in and have room are used as they are", async () => {
  const here = watcher();
  const named = {
    NATS_URL: as("wide"),
    DATABASE_URL: await databaseForTest(),
    REDIS_URL: await redisForTest(),
  };
  expect(await tryServers(named, usual, here)).toEqual({});
  expect(here.said).toEqual([]);
});

test("all that refuse us are named at once, each in a sentence and without its password", async () => {
  const database = new URL(await databaseForTest());
  database.pathname = "/nowhere";
  const refused = await tryServers(
    { NATS_URL: as("wide", "secret"), DATABASE_URL: database.href },
    usual,
    watcher(),
  ).catch((err: unknown) => err);
  expect(refused).toBeInstanceOf(ConfigError);
  const { problems } = refused as ConfigError; // checked by the line above
  expect(problems.toSorted()).toEqual([
    expect.stringMatching(/^NATS at nats:\/\/\*\*\*@\S+ refuses the credentials: check NATS_URL/),
    expect.stringMatching(/^Postgres at \S+ refuses us: .*"nowhere" does not exist: check DATABASE_URL$/),
  ]);
});

test("a server without JetStream, or with too little room for limits that are set, is refused by how much", async () => {
  const problem = (user: string, isSet: boolean) =>
    tryServers({ NATS_URL: as(user) }, { ...usual, isSet }, watcher());
  await expect(problem("off", false)).rejects.toThrow(/gives no JetStream .*: start it with -js/);
  await expect(problem("small", true)).rejects.toThrow(
    /offers its account \d+ MiB of storage, and the streams take \d+ MiB|GiB, \d+ (MiB|GiB) too much: lower EVENTS_MAX_BYTES/,
  );
  await expect(problem("tiny", false)).rejects.toThrow(/ too much: lower EVENTS_MAX_BYTES/);
});

test("limits that nobody has set follow what the account offers, and it is said", async () => {
  const here = watcher();
  const fitted = await tryServers({ NATS_URL: as("small") }, usual, here);
  const { EVENTS_MAX_BYTES = 0, QUEUE_MAX_BYTES = 0 } = fitted;
  expect(QUEUE_MAX_BYTES).toBeGreaterThan(16 * 2 ** 20);
  expect(EVENTS_MAX_BYTES).toBeGreaterThan(QUEUE_MAX_BYTES);
  expect(here.said).toEqual([expect.stringMatching(/: with EVENTS_MAX_BYTES=\d+MiB and QUEUE_MAX_BYTES=/)]);
  // They do fit.
  const again = { ...usual, limits: { ...usual.limits, ...fitted }, isSet: true };
  expect(await tryServers({ NATS_URL: as("small") }, again, watcher())).toEqual({});
});

test("a server that is away is said once and waited for; a Redis or rates API is not waited for", async () => {
  const here = watcher();
  const stop = new AbortController();
  const nowhere = `127.0.0.1:${await freePort()}`;
  const named = {
    NATS_URL: `nats://${nowhere}`,
    REDIS_URL: `redis://${nowhere}`,
    RATES_URL: `http://${nowhere}/`,
  };
  const waiting = tryServers(
    named,
    { ...usual, limits: defaultLimits },
    { ...here, signal: stop.signal },
  ).catch((err: unknown) => err);
  await waitFor(() => here.said.length === 3);
  expect(here.said.toSorted()).toEqual([
    expect.stringMatching(/^NATS at \S+ is away .*: waiting until it answers$/),
    expect.stringMatching(/^Redis at \S+ is away .*: everything goes on without it/),
    expect.stringMatching(/^the rates API at \S+ failed: .*: events that need a rate wait/),
  ]);
  stop.abort(new Error("asked to stop"));
  expect(await waiting).toMatchObject({ message: "asked to stop" });
});
