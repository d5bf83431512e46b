import { sql } from "kysely";
import { afterAll, beforeEach, expect, onTestFinished, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { databaseForTest } from "../../test/harness/infrastructure.ts";
import { migrateWithSamples } from "../../test/harness/samples.ts";
import { playerKind } from "../players/player-kind.ts";
import { connectPostgres } from "../postgres/connect.ts";
import { isUnavailable } from "../service/unavailable.ts";
import { postgresRecords } from "./postgres-records.ts";

const db = connectPostgres(await databaseForTest(), "test", silent);
afterAll(() => db.destroy());
await migrateWithSamples(db);
const players = postgresRecords(db, playerKind);
const { signal } = new AbortController();
const player = (id: number, email = `${id}@example.com`, last_signed_in_at: string | null = null) => ({
  id,
  email,
  last_signed_in_at,
});

beforeEach(() => sql`delete from players`.execute(db));

test("adds records, and puts them in the place of those of their ids, for one client", async () => {
  const texts = ['quote"s, {braces} and \\ @ \n', "NULL@", "ünï😀@"];
  const records = texts.map((email, index) => player(index + 1, email, "2022-01-10T12:34:56.789Z"));
  expect(await players.put("casino", records, signal)).toBe(3);
  expect(await players.put("lucky-spin", [player(1)], signal)).toBe(1);
  expect(await players.put("casino", [player(3, "new@x"), player(4)], signal)).toBe(1);
  expect(await players.list("casino", 0, 10, signal)).toEqual([
    ...records.slice(0, 2),
    player(3, "new@x"),
    player(4),
  ]);
  expect(await players.find("lucky-spin", 1, signal)).toEqual(player(1));
});

test("of two with one id the later counts", async () => {
  expect(await players.put("casino", [player(5, "a@x"), player(5, "b@x")], signal)).toBe(1);
  expect(await players.find("casino", 5, signal)).toEqual(player(5, "b@x"));
});

test("lists what comes after an id, and removes only the client's own", async () => {
  const biggest = 2 ** 53 - 1;
  await players.put("casino", [player(biggest), player(7), player(2)], signal);
  const idsAfter = async (after: number, limit: number) =>
    (await players.list("casino", after, limit, signal)).map(({ id }) => id);
  expect(await idsAfter(0, 2)).toEqual([2, 7]);
  expect(await idsAfter(7, 2)).toEqual([biggest]);
  expect(await idsAfter(biggest, 2)).toEqual([]);
  expect(await players.remove("lucky-spin", 7, signal)).toBe(false);
  expect(await players.remove("casino", 7, signal)).toBe(true);
  expect(await players.remove("casino", 7, signal)).toBe(false);
  expect(await players.find("casino", 7, signal)).toBeUndefined();
});

test("batches that overlap in other orders do not deadlock", async () => {
  const ids = Array.from({ length: 200 }, (_, i) => i + 1);
  const batches = Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? ids : ids.toReversed()));
  const added = await Promise.all(
    batches.map((batch) =>
      players.put(
        "casino",
        batch.map((id) => player(id)),
        signal,
      ),
    ),
  );
  expect(added.reduce((sum, count) => sum + count, 0)).toBe(200);
});

test("a time that no RFC 3339 text can say is none", async () => {
  await sql`insert into players values ('casino', 1, 'a@x', 'infinity'), ('casino', 2, 'b@x', '4000-01-01 BC')`.execute(
    db,
  );
  expect(await players.list("casino", 0, 10, signal)).toEqual([player(1, "a@x"), player(2, "b@x")]);
});

test("is Unavailable before the migrations have run, and when its time is over", async () => {
  const empty = connectPostgres(await databaseForTest(), "test", silent);
  onTestFinished(() => empty.destroy());
  const asked = postgresRecords(empty, playerKind).find("casino", 1, signal);
  await expect(asked).rejects.toSatisfy(isUnavailable);
  const ended = AbortSignal.abort(new DOMException("late", "TimeoutError"));
  await expect(players.put("casino", [player(1)], ended)).rejects.toSatisfy(isUnavailable);
  const stopped = new Error("stopped");
  await expect(players.list("casino", 0, 1, AbortSignal.abort(stopped))).rejects.toBe(stopped);
});
