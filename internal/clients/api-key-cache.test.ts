import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { databaseForTest, postgresForTest } from "../../test/harness/infrastructure.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { connectPostgres, type Database } from "../postgres/connect.ts";
import { migrate } from "../postgres/migrate.ts";
import { Unavailable } from "../service/unavailable.ts";
import { hashOf, newApiKey, prefixOf } from "./api-key.ts";
import { ApiKeyCache, usualTimes } from "./api-key-cache.ts";
import { createKey, revokeKey } from "./client-repository.ts";
import { type FindKeys, type KnownKey, postgresKeys } from "./key-lookup.ts";

const usual = { knownMs: 200, staleMs: 60_000, unknownMs: 100, retryMs: 50, patienceMs: 5_000 };

async function database(url?: string): Promise<Database> {
  const db = connectPostgres(url ?? (await databaseForTest()), "test", silent);
  onTestFinished(() => db.destroy());
  await migrate(db);
  return db;
}

async function newKey(db: Database, expiresAt?: Date): Promise<string> {
  return (await createKey(db, { client: "casino", source: "till" }, expiresAt)) ?? expect.fail("no client");
}

/** Counts how often Postgres is asked. */
function counted(find: FindKeys) {
  const asked = { times: 0 };
  const counting: FindKeys = (hashes, signal) => {
    asked.times++;
    return find(hashes, signal);
  };
  return { asked, find: counting };
}

test("finds keys with their scope, expiry and revocation, and no others", async () => {
  const db = await database();
  const ring = new ApiKeyCache(postgresKeys(db), usual);
  const expiresAt = new Date("2030-01-01T00:00:00Z");
  const key = await newKey(db, expiresAt);
  expect(await ring.find(key)).toEqual({
    id: expect.any(String),
    client: "casino",
    source: "till",
    expiresAt,
    revokedAt: null,
    disabledAt: null,
  });
  const operator = await createKey(db, "operator");
  expect(await ring.find(operator ?? "")).toMatchObject({ client: null, source: null });
  expect(await ring.find(newApiKey())).toBeUndefined();
});

test("asks once for many requests at once, and not at all for what cannot be a key", async () => {
  const db = await database();
  const { asked, find } = counted(postgresKeys(db));
  const ring = new ApiKeyCache(find, { ...usual, knownMs: 60_000 });
  const key = await newKey(db);
  await Promise.all(Array.from({ length: 100 }, () => ring.find(key)));
  await ring.find(key);
  for (const text of ["", "key", `${key}0`, key.toUpperCase(), key.slice(1), "'; drop table api_keys"])
    expect(await ring.find(text)).toBeUndefined();
  expect(asked.times).toBe(1);
});

test("by default a revocation is known within 5 s, and within 60 s while Postgres does not answer", () => {
  expect(usualTimes.knownMs + usualTimes.patienceMs).toBeLessThanOrEqual(5_000);
  expect(usualTimes.staleMs).toBeLessThanOrEqual(60_000);
});

test("a revoked key is found revoked, and a new one found, within their times", async () => {
  const db = await database();
  const { asked, find } = counted(postgresKeys(db));
  const ring = new ApiKeyCache(find, { ...usual, unknownMs: 1_000 });
  const key = await newKey(db);
  expect((await ring.find(key))?.revokedAt).toBeNull();
  expect(await revokeKey(db, prefixOf(key))).toBe(1);
  await waitFor(async () => (await ring.find(key))?.revokedAt);

  const unknown = newApiKey();
  expect(await ring.find(unknown)).toBeUndefined();
  const before = asked.times;
  expect(await ring.find(unknown)).toBeUndefined();
  expect(asked.times).toBe(before);
  await waitFor(async () => {
    await ring.find(unknown);
    return asked.times > before;
  });
});

test("while Postgres is away known keys go on, unknown ones cannot be checked; all is well when it is back", async () => {
  const server = await postgresForTest();
  const db = await database(server.url);
  const ring = new ApiKeyCache(postgresKeys(db), usual);
  const [known, unknown] = [await newKey(db), await newKey(db)];
  await ring.find(known);
  await server.kill();
  // A server that is killed leaves its processes behind for a moment, which go on answering.
  await waitFor(() =>
    ring.find(newApiKey()).then(
      () => false,
      (err) => err instanceof Unavailable,
    ),
  );
  for (let i = 0; i < 20; i++) {
    expect((await ring.find(known))?.client).toBe("casino");
    await expect(ring.find(unknown)).rejects.toThrow(Unavailable);
  }
  await server.start();
  await waitFor(() => ring.find(unknown));
  await revokeKey(db, prefixOf(known));
  await waitFor(async () => (await ring.find(known))?.revokedAt);
});

test("a Postgres that hangs is waited for once and then no more for keys that are known", async () => {
  let hangs = false;
  const db = await database();
  const find = postgresKeys(db);
  const ring = new ApiKeyCache(
    (hashes, signal) => (hangs ? new Promise(() => undefined) : find(hashes, signal)),
    {
      knownMs: 0,
      unknownMs: 0,
      retryMs: 0,
      patienceMs: 1_000,
    },
  );
  const key = await newKey(db);
  await ring.find(key);
  hangs = true;
  expect((await ring.find(key))?.client).toBe("casino");
  const began = performance.now();
  for (let i = 0; i < 100; i++) expect((await ring.find(key))?.client).toBe("casino");
  // Each for itself would wait its second.
  expect(performance.now() - began).toBeLessThan(50_000);
  await expect(ring.find(newApiKey())).rejects.toThrow("Postgres gave no answer within 1 s");
});

test("a server that accepts connections and says nothing counts as away", async () => {
  const sockets: Socket[] = [];
  const mute = createServer((socket) => void sockets.push(socket)).listen(0, "127.0.0.1");
  await once(mute, "listening");
  const address = mute.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const db = connectPostgres(`postgres://casino@127.0.0.1:${port}/casino`, "test", silent);
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    mute.close();
    await db.destroy();
  });
  const ring = new ApiKeyCache(postgresKeys(db), { ...usual, patienceMs: 200 });
  await expect(ring.find(newApiKey())).rejects.toThrow(Unavailable);
});

test("a bug is not taken for an outage", async () => {
  const ring = new ApiKeyCache(() => Promise.reject(new TypeError("a bug")), usual);
  await expect(ring.find(newApiKey())).rejects.toThrow(TypeError);
});

test("a key that cannot be looked up again is good for so long and no longer; it is good again once it can", async () => {
  const db = await database();
  const find = postgresKeys(db);
  let away = false;
  const ring = new ApiKeyCache(
    (hashes, signal) => (away ? Promise.reject(new Unavailable("away")) : find(hashes, signal)),
    { ...usual, knownMs: 50, staleMs: 600, retryMs: 400 },
  );
  const key = await newKey(db);
  const began = performance.now();
  await ring.find(key);
  away = true;
  await revokeKey(db, prefixOf(key));
  const refused = await waitFor(() =>
    ring.find(key).then(
      (found) => void expect(found?.revokedAt).toBeNull(),
      (err: unknown) => err,
    ),
  );
  expect(refused).toBeInstanceOf(Unavailable);
  // Not a retry later: the last one before the bound is cut to it.
  expect(performance.now() - began).toBeGreaterThan(590);
  await expect(ring.find(key)).rejects.toThrow(Unavailable);
  away = false;
  expect((await ring.find(key))?.revokedAt).toBeInstanceOf(Date);
});

const row = { id: "1", client: "casino", source: "till", expiresAt: null, revokedAt: null, disabledAt: null };

/** A Postgres that answers when the test lets it: a query at a time, each with how many keys it asks for. */
function heldBack(known: ReadonlyMap<string, KnownKey>) {
  const queries: { readonly size: number; readonly answer: () => void }[] = [];
  const find: FindKeys = (hashes) =>
    new Promise((resolve) => queries.push({ size: hashes.length, answer: () => resolve(known) }));
  return { queries, find };
}

test("made-up keys are looked up together, one query at a time, and hold up no key that is known", async () => {
  const known = newApiKey();
  const { queries, find } = heldBack(new Map([[hashOf(known).toString("base64"), row]]));
  const ring = new ApiKeyCache(find, { ...usual, knownMs: 0, patienceMs: 60_000 });
  const first = ring.find(known, "10.0.0.1");
  queries.shift()?.answer();
  await first;

  const flood = Array.from({ length: 2_000 }, () => ring.find(newApiKey(), "10.0.0.9"));
  const other = ring.find(newApiKey(), "10.0.0.1");
  expect(queries.map(({ size }) => size)).toEqual([1]);
  const again = ring.find(known, "10.0.0.9");
  queries.splice(1, 1)[0]?.answer();
  expect(await again).toEqual(row);

  queries.shift()?.answer();
  await waitFor(() => queries.length === 1);
  expect(queries[0]?.size).toBe(500);
  queries.shift()?.answer();
  // It came last, and from another address: it was in the second query.
  expect(await other).toBeUndefined();
  for (let left = 3; left > 0; left--) {
    await waitFor(() => queries.length === 1);
    queries.shift()?.answer();
  }
  expect(await Promise.all(flood)).toEqual(Array(2_000).fill(undefined));
});

test("only so many made-up keys wait for a look-up; others are refused, those of other addresses are not", async () => {
  const { queries, find } = heldBack(new Map());
  const ring = new ApiKeyCache(find, { ...usual, patienceMs: 60_000 });
  const flood = Array.from({ length: 9_000 }, () =>
    ring.find(newApiKey(), "10.0.0.9").catch((err: unknown) => err),
  );
  const other = ring.find(newApiKey(), "10.0.0.1");
  const answering = setInterval(() => queries.shift()?.answer(), 1);
  onTestFinished(() => clearInterval(answering));
  expect(await other).toBeUndefined();
  const answers = await Promise.all(flood);
  // One was asked for at once, 8,000 waited.
  expect(answers.filter((answer) => answer === undefined)).toHaveLength(8_001);
  expect(answers.filter((answer) => answer instanceof Unavailable)).toHaveLength(999);
});

test("whoever tries out keys does not fill the memory, and pushes no key that is known out of it", async () => {
  const real = newApiKey();
  const { asked, find } = counted(async () => new Map([[hashOf(real).toString("base64"), row]]));
  const ring = new ApiKeyCache(find, { ...usual, knownMs: 600_000, unknownMs: 600_000 });
  const first = newApiKey();
  await ring.find(real);
  await ring.find(first);
  await ring.find(first);
  expect(asked.times).toBe(2);
  for (let i = 0; i < 10_000; i++) await ring.find(newApiKey());
  await ring.find(first);
  expect(asked.times).toBe(10_003);
  expect(await ring.find(real)).toEqual(row);
  expect(asked.times).toBe(10_003);
});
