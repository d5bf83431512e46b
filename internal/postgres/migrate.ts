import { readdir } from "node:fs/promises";
import { sql } from "kysely";
import { type Migration, type MigrationResult, type MigrationResultSet, Migrator } from "kysely/migration";
import { isUnavailable, Refused, Unavailable } from "../service/unavailable.ts";
import { asUnavailable, type Database, whyAway } from "./connect.ts";

/** The oldest major version that the migrations and queries work with. */
const oldestPostgres = 14;
const folder = new URL("../../migrations/", import.meta.url);

/**
 * Applies the missing migrations, in the order of their names, in one transaction. Several processes may do so at once: a
 * lock in the database makes them take turns.
 * @param last the name of the last one to apply; default: all
 * @returns the names applied now
 * @throws the first failure, Unavailable when Postgres is away, Refused when it does not let us in or is too old; then none is applied
 */
export async function migrate(db: Database, last?: string): Promise<readonly string[]> {
  const migrator = new Migrator({ db, provider: { getMigrations: load } });
  const { error, results = [] } = await checkVersion(db).then(
    () => (last === undefined ? migrator.migrateToLatest() : migrator.migrateTo(last)),
    (error: unknown): MigrationResultSet => ({ error }),
  );
  if (error !== undefined) {
    const failed = results.find((result: MigrationResult) => result.status === "Error")?.migrationName;
    const why = asUnavailable(error);
    // A server that is away or refuses us is no bug.
    const Kind = why instanceof Refused ? Refused : isUnavailable(why) ? Unavailable : Error;
    throw new Kind(
      `${failed === undefined ? "migrating" : `migration ${failed}`} failed: ${error instanceof Error ? whyAway(error) : String(error)}`,
      { cause: error },
    );
  }
  return results.filter((result) => result.status === "Success").map((result) => result.migrationName);
}

async function checkVersion(db: Database): Promise<void> {
  const { rows } = await sql<{ number: string }>`
    select current_setting('server_version_num') as number`.execute(db);
  const major = Math.floor(Number(rows[0]?.number) / 10_000);
  if (major < oldestPostgres)
    throw new Refused(
      `the server is Postgres ${major}, and Croupier needs ${oldestPostgres} or newer: upgrade it, or set DATABASE_URL to a newer one`,
    );
}

async function load(): Promise<Record<string, Migration>> {
  const files = (await readdir(folder)).filter((file) => /^\d{4}_\w+\.ts$/.test(file)).sort();
  const entries = files.map(async (file) => {
    const migration: Migration = await import(new URL(file, folder).href);
    return [file.slice(0, -".ts".length), migration] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}
