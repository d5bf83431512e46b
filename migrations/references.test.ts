import { type RawBuilder, sql } from "kysely";
import { describe, expect, onTestFinished, test } from "vitest";
import { connectPostgres, type Database } from "../internal/postgres/connect.ts";
import { migrate } from "../internal/postgres/migrate.ts";
import { silent } from "../test/harness/broker.ts";
import { databaseForTest } from "../test/harness/infrastructure.ts";
import { waitFor } from "../test/harness/wait-for.ts";

// The triggers of `events` guarantee what foreign keys would.

async function migrated(): Promise<Database> {
  const db = connectPostgres(await databaseForTest(), "test", silent);
  onTestFinished(() => db.destroy());
  await migrate(db);
  await sql`insert into clients (id, name) values ('other', 'Other')`.execute(db);
  await sql`insert into event_types (name) values ('login')`.execute(db);
  return db;
}

/** An insert of events of these clients and types, one each. */
const events = (...them: readonly (readonly [client: string, type: string])[]) =>
  sql`
    insert into events (client_id, source, id, type, created_at, description, stored_at)
    select client, 'test', i, type, now(), 'd', now()
    from unnest(${them.map(([client]) => client)}::text[], ${them.map(([, type]) => type)}::text[])
      with ordinality as rows (client, type, i)`;

const refused = (constraint: string) => expect.objectContaining({ code: "23503", constraint });
const failure = (work: Promise<unknown>) =>
  work.then(
    () => "it went in",
    (err: unknown) => err,
  );
const count = async (db: Database) =>
  (await sql<{ n: number }>`select count(*)::int as n from events`.execute(db)).rows[0]?.n;

describe("an event", () => {
  const cases: readonly (readonly [string, RawBuilder<unknown>, string])[] = [
    ["of a client that is not there", events(["casino", "bet"], ["nobody", "bet"]), "events_client_id_fkey"],
    ["of a type that is not there", events(["casino", "bet"], ["casino", "logout"]), "events_type_fkey"],
  ];
  test.each(cases)("%s is refused with all of its statement", async (_what, statement, constraint) => {
    const db = await migrated();
    expect(await failure(statement.execute(db))).toEqual(refused(constraint));
    expect(await count(db)).toBe(0);
  });

  test("cannot move to a client that is not there", async () => {
    const db = await migrated();
    await events(["casino", "bet"]).execute(db);
    const moved = sql`update events set client_id = 'nobody'`.execute(db);
    expect(await failure(moved)).toEqual(refused("events_client_id_fkey"));
  });

  test("is not deceived by tables of the same names that its writer made", async () => {
    const db = await migrated();
    await db.connection().execute(async (connection) => {
      await sql`create temp table clients as select 'nobody' as id`.execute(connection);
      const deceived = events(["nobody", "bet"]).execute(connection);
      expect(await failure(deceived)).toEqual(refused("events_client_id_fkey"));
    });
  });
});

describe("what events refer to", () => {
  const gone: readonly (readonly [string, string, string])[] = [
    ["a client is not deleted", "delete from clients where id = 'other'", "events_client_id_fkey"],
    ["nor given another id", "update clients set id = 'another' where id = 'other'", "events_client_id_fkey"],
    ["nor with all others", "truncate clients cascade", "events_client_id_fkey"],
    ["a type is not deleted", "delete from event_types where name = 'login'", "events_type_fkey"],
    ["nor renamed", "update event_types set name = 'logon' where name = 'login'", "events_type_fkey"],
    ["nor with all others, though", "truncate event_types cascade", "events_type_fkey"],
  ];
  test.each(gone)("%s", async (_what, statement, constraint) => {
    const db = await migrated();
    await events(["other", "login"]).execute(db);
    expect(await failure(sql.raw(statement).execute(db))).toEqual(refused(constraint));
    // Without the event all of them may go.
    await sql`delete from events`.execute(db);
    await sql.raw(statement).execute(db);
  });

  test("may change in other columns, in any transaction", async () => {
    const db = await migrated();
    await events(["other", "login"]).execute(db);
    await db
      .transaction()
      .setIsolationLevel("serializable")
      .execute((trx) => sql`update clients set name = 'Renamed' where id = 'other'`.execute(trx));
  });

  test("is not deleted where a snapshot could hide an event", async () => {
    const db = await migrated();
    const deleted = db
      .transaction()
      .setIsolationLevel("repeatable read")
      .execute((trx) => sql`delete from clients where id = 'other'`.execute(trx));
    expect(await failure(deleted)).toMatchObject({ code: "0A000" });
  });

  test("cannot vanish while an event of it is about to be committed", async () => {
    const db = await migrated();
    const inserting = await db.startTransaction().execute();
    await events(["other", "login"]).execute(inserting);
    const deleted = failure(sql`delete from clients where id = 'other'`.execute(db));
    await someoneWaits(db);
    await inserting.commit().execute();
    expect(await deleted).toEqual(refused("events_client_id_fkey"));
  });

  test("is gone for an event that comes while it is being deleted", async () => {
    const db = await migrated();
    const deleting = await db.startTransaction().execute();
    await sql`delete from clients where id = 'other'`.execute(deleting);
    const inserted = failure(events(["other", "login"]).execute(db));
    await someoneWaits(db);
    await deleting.commit().execute();
    expect(await inserted).toEqual(refused("events_client_id_fkey"));
    expect(await count(db)).toBe(0);
  });
});

/** One of the database's sessions waits for a lock of another. */
async function someoneWaits(db: Database): Promise<void> {
  await waitFor(async () => {
    const { rows } = await sql`
      select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`.execute(
      db,
    );
    return rows.length > 0;
  });
}
