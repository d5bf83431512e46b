import { randomBytes } from "node:crypto";
import { sql } from "kysely";
import { describe, expect, onTestFinished, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { databaseForTest } from "../../test/harness/infrastructure.ts";
import { connectPostgres } from "../postgres/connect.ts";
import { migrate } from "../postgres/migrate.ts";
import { isUnavailable } from "../service/unavailable.ts";
import { type DestinationSettings, defaultSettings } from "./destination.ts";
import { DestinationRefused, Destinations, mostOfClient } from "./destinations.ts";
import { resealDestinations } from "./reseal.ts";
import { SecretBox } from "./secret-box.ts";

const url = await databaseForTest();
const db = connectPostgres(url, "test", silent);
await migrate(db);
const key = randomBytes(32);
const destinations = new Destinations(db, new SecretBox([key]));

const settings: DestinationSettings = {
  ...defaultSettings,
  url: "https://example.com/hook",
  headers: { authorization: "Bearer very-secret" },
};

test("a destination that cannot be returned is not there, because nobody would know its secret", async () => {
  const unreadable = db.withPlugin({
    transformQuery: ({ node }) => {
      if (JSON.stringify(node).includes("select secret from")) throw new Error("cannot be read");
      return node;
    },
    transformResult: async ({ result }) => result,
  });
  const failing = new Destinations(unreadable, new SecretBox([key]));
  await expect(failing.create("casino", settings)).rejects.toThrow("cannot be read");
  expect(await destinations.list("casino")).toEqual([]);
});

test("what was set up is what is read, and its secrets are nowhere in the clear", async () => {
  const made = await destinations.create("casino", { ...settings, types: ["bet"], rateLimit: 5, batch: 100 });
  expect(made).toMatchObject({
    ...settings,
    client: "casino",
    types: ["bet"],
    rateLimit: 5,
    batch: 100,
    failingSince: null,
  });
  expect(made.id).toMatch(/^[a-z0-9]{16}$/);
  expect(made.secrets).toEqual([expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=$/)]);
  expect(await destinations.find(made.id, "casino")).toEqual(made);
  expect(await destinations.list("casino")).toContainEqual(made);
  const { rows } = await sql`select * from destinations, destination_secrets`.execute(db);
  expect(JSON.stringify(rows)).not.toMatch(/very-secret|whsec_/);
});

test("a destination may be set up before it is enabled", async () => {
  const made = await destinations.create("casino", { ...settings, enabled: false });
  expect(made).toMatchObject({ enabled: false, disabledAt: expect.any(Date), disabledReason: null });
  const enabled = await destinations.update(made.id, "casino", { enabled: true });
  expect(enabled).toMatchObject({ enabled: true, disabledAt: null });
});

test("a destination is its client's alone", async () => {
  const { id } = await destinations.create("casino", settings);
  expect(await destinations.find(id, "lucky-spin")).toBeUndefined();
  expect(await destinations.list("lucky-spin")).toEqual([]);
  expect(await destinations.update(id, "lucky-spin", { batch: 2 })).toBeUndefined();
  expect(await destinations.rotate(id, "lucky-spin")).toBeUndefined();
  expect(await destinations.remove(id, "lucky-spin")).toBe(false);
  expect(await destinations.find(id, undefined)).toMatchObject({ batch: 1 });
  expect(await destinations.remove(id, "casino")).toBe(true);
  expect(await destinations.find(id, "casino")).toBeUndefined();
});

test("a change leaves alone what it does not name", async () => {
  const { id, updatedAt, ...before } = await destinations.create("casino", { ...settings, rateLimit: 5 });
  const after = await destinations.update(id, "casino", { rateLimit: null, types: ["deposit"] });
  expect(after).toMatchObject({ ...before, rateLimit: null, types: ["deposit"] });
  expect(after?.updatedAt.getTime()).toBeGreaterThanOrEqual(updatedAt.getTime());
  expect(await destinations.update(id, "casino", { headers: {} })).toMatchObject({ headers: {} });
  expect(await destinations.update(id, "casino", {})).toMatchObject({ types: ["deposit"] });
});

test("a client that is not there has none, and nobody has too many", async () => {
  await expect(destinations.create("nobody", settings)).rejects.toThrow(DestinationRefused);
  await sql`insert into clients (id, name) values ('many', 'Many')`.execute(db);
  for (let i = 1; i < mostOfClient; i++) await destinations.create("many", settings);
  const last = await Promise.allSettled([1, 2, 3].map(() => destinations.create("many", settings)));
  expect(last.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected", "rejected"]);
  expect(await destinations.list("many")).toHaveLength(mostOfClient);
});

describe("a rotation", () => {
  test("has both secrets sign, the newer first, until the older one's time is over", async () => {
    const { id, secrets } = await destinations.create("casino", settings);
    const newer = await destinations.rotate(id, "casino");
    expect((await destinations.find(id, "casino"))?.secrets).toEqual([newer, ...secrets]);
    const newest = await destinations.rotate(id, "casino");
    expect((await destinations.find(id, "casino"))?.secrets).toEqual([newest, newer]);
    const last = await destinations.rotate(id, "casino", 0);
    expect((await destinations.find(id, "casino"))?.secrets).toEqual([last]);
  });

  test("of the key that encrypts seals everything anew, after which the old key is not needed", async () => {
    const made = await destinations.create("casino", settings);
    const next = randomBytes(32);
    const both = new SecretBox([next, key]);
    const rotating = new Destinations(db, both);
    expect(await rotating.find(made.id, "casino")).toEqual(made);
    const after = new Destinations(db, new SecretBox([next]));
    expect((await after.all()).unreadable).toContainEqual({
      id: made.id,
      client: "casino",
      because: expect.stringMatching(/^DELIVERY_KEY lacks the key /),
    });
    expect(await resealDestinations(db, both)).toBeGreaterThan(0);
    expect(await resealDestinations(db, both)).toBe(0);
    expect(await after.find(made.id, "casino")).toEqual(made);
    await resealDestinations(db, new SecretBox([key, next]));
  });
});

describe("the sender", () => {
  test("sees all of all clients, and one that cannot be read hides no other", async () => {
    const good = await destinations.create("casino", settings);
    const bad = await destinations.create("casino", settings);
    const other = new SecretBox([randomBytes(32)]);
    await sql`
      update destination_secrets set secret = ${other.seal("x", bad.id)} where destination_id = ${bad.id}`.execute(
      db,
    );
    const seen = await destinations.all();
    expect(seen.destinations).toContainEqual(good);
    expect(seen.unreadable.map(({ id }) => id)).toEqual([bad.id]);
    await destinations.remove(bad.id, "casino");
  });

  test("notes since when one fails, the first time only, and that it does well again", async () => {
    const { id } = await destinations.create("casino", settings);
    const since = new Date("2026-01-01T00:00:00Z");
    await destinations.markFailing(id, since);
    await destinations.markFailing(id, new Date());
    expect(await destinations.find(id, "casino")).toMatchObject({ failingSince: since });
    await destinations.markHealthy(id);
    expect(await destinations.find(id, "casino")).toMatchObject({ failingSince: null });
  });

  test("disables one once, which says why until it is enabled again", async () => {
    const { id } = await destinations.create("casino", settings);
    await destinations.markFailing(id, new Date());
    const disabled = await Promise.all([1, 2].map(() => destinations.disable(id, "It answered 410.")));
    expect(disabled.sort()).toEqual([false, true]);
    expect(await destinations.find(id, "casino")).toMatchObject({
      enabled: false,
      disabledReason: "It answered 410.",
      disabledAt: expect.any(Date),
    });
    const enabled = await destinations.update(id, "casino", { enabled: true });
    expect(enabled).toMatchObject({
      enabled: true,
      disabledAt: null,
      disabledReason: null,
      failingSince: null,
    });
  });
});

test("a database that is away is Unavailable", async () => {
  const gone = connectPostgres(url.replace(/:\d+\//, ":1/"), "test", silent);
  onTestFinished(() => gone.destroy());
  const away = new Destinations(gone, new SecretBox([key]));
  await expect(away.all()).rejects.toSatisfy(isUnavailable);
  await expect(away.create("casino", settings)).rejects.toSatisfy(isUnavailable);
});
