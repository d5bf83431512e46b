import { readdir } from "node:fs/promises";
import { type Migration, type MigrationResult, Migrator } from "kysely/migration";
import { isUnavailable, Refused, Unavailable } from "../service/unavailable.ts";
import { asUnavailable, type Database, whyAway } from "./connect.ts";

const folder = new URL("../../migrations/", import.meta.url);

/**
 * Applies the missing migrations, in the order of their names, in one transaction. Several processes may do so at once: a
 * lock in the database makes them take turns.
 * @param last the name of the last one to apply; default: all
 * @returns the names applied now
 * @throws the first failure, Unavailable when Postgres is away, Refused when it does not let us in; then none is applied
 */
export async function migrate(db: Database, last?: string): Promise<readonly string[]> {
  const migrator = new Migrator({ db, provider: { getMigrations: load } });
  const { error, results = [] } = await (last === undefined
    ? migrator.migrateToLatest()
    : migrator.migrateTo(last));
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

async function load(): Promise<Record<string, Migration>> {
  const files = (await readdir(folder)).filter((file) => /^\d{4}_\w+\.ts$/.test(file)).sort();
  const entries = files.map(async (file) => {
    const migration: Migration = await import(new URL(file, folder).href);
    return [file.slice(0, -".ts".length), migration] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}
