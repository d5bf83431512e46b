import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { databaseForTest, postgresForTest } from "../../test/harness/infrastructure.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { connectPostgres, type Database } from "../postgres/connect.ts";
import { migrate } from "../postgres/migrate.ts";
import { Unavailable } from "../unavailable.ts";
import { newApiKey, prefixOf } from "./api-key.ts";
import { createKey, revokeKey } from "./directory.ts";
import { type FindKey, KeyRing, postgresKeys } from "./key-ring.ts";

const usual = { knownMs: 200, unknownMs: 100, retryMs: 50, patienceMs: 5_000 };

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
function counted(find: FindKey) {
  const asked = { times: 0 };
  const counting: FindKey = (hash, signal) => {
    asked.times++;
    return find(hash, signal);
  };
  return { asked, find: counting };
}

test("finds keys with their scope, expiry and revocation, and no others", async () => {
  const db = await database();
  const ring = new KeyRing(postgresKeys(db), usual);
  const expiresAt = new Date("2030-01-01T00:00:00Z");
  const key = await newKey(db, expiresAt);
  expect(await ring.find(key)).toEqual({
    id: expect.any(String),
    client: "casino",
    source: "till",
    expiresAt,
    revokedAt: null,
  });
  const operator = await createKey(db, "operator");
  expect(await ring.find(operator ?? "")).toMatchObject({ client: null, source: null });
  expect(await ring.find(newApiKey())).toBeUndefined();
});

test("asks once for many requests at once, and not at all for what cannot be a key", async () => {
  const db = await database();
  const { asked, find } = counted(postgresKeys(db));
  const ring = new KeyRing(find, { ...usual, knownMs: 60_000 });
  const key = await newKey(db);
  await Promise.all(Array.from({ length: 100 }, () => ring.find(key)));
  await ring.find(key);
  for (const text of ["", "key", `${key}0`, key.toUpperCase(), key.slice(1), "'; drop table api_keys"])
    expect(await ring.find(text)).toBeUndefined();
  expect(asked.times).toBe(1);
});

test("a revoked key is found revoked, and a new one found, within their times", async () => {
  const db = await database();
  const { asked, find } = counted(postgresKeys(db));
  const ring = new KeyRing(find, usual);
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
  const ring = new KeyRing(postgresKeys(db), usual);
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
  await waitFor(() => ring.find(unknown), { timeout: 20_000 });
  await revokeKey(db, prefixOf(known));
  await waitFor(async () => (await ring.find(known))?.revokedAt);
});

test("a Postgres that hangs is waited for once and then no more for keys that are known", async () => {
  let hangs = false;
  const db = await database();
  const find = postgresKeys(db);
  const ring = new KeyRing((hash, signal) => (hangs ? new Promise(() => undefined) : find(hash, signal)), {
    knownMs: 0,
    unknownMs: 0,
    retryMs: 0,
    patienceMs: 1_000,
  });
  const key = await newKey(db);
  await ring.find(key);
  hangs = true;
  expect((await ring.find(key))?.client).toBe("casino");
  const began = performance.now();
  for (let i = 0; i < 100; i++) expect((await ring.find(key))?.client).toBe("casino");
  expect(performance.now() - began).toBeLessThan(1_000);
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
  const ring = new KeyRing(postgresKeys(db), { ...usual, patienceMs: 200 });
  await expect(ring.find(newApiKey())).rejects.toThrow(Unavailable);
});

test("a bug is not taken for an outage", async () => {
  const ring = new KeyRing(() => Promise.reject(new TypeError("a bug")), usual);
  await expect(ring.find(newApiKey())).rejects.toThrow(TypeError);
});

test("whoever tries out keys does not fill the memory", async () => {
  const { asked, find } = counted(async () => undefined);
  const ring = new KeyRing(find, { ...usual, unknownMs: 600_000 });
  const first = newApiKey();
  await ring.find(first);
  await ring.find(first);
  expect(asked.times).toBe(1);
  for (let i = 0; i < 10_000; i++) await ring.find(newApiKey());
  await ring.find(first);
  expect(asked.times).toBe(10_002);
});
