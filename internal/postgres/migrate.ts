import { readdir } from "node:fs/promises";
import { type Migration, type MigrationResult, Migrator } from "kysely/migration";
import { isUnavailable, Unavailable } from "../service/unavailable.ts";
import { asUnavailable, type Database } from "./connect.ts";

const folder = new URL("../../migrations/", import.meta.url);

/**
 * Applies the missing migrations, in the order of their names, in one transaction. Several processes may do so at once: a
 * lock in the database makes them take turns.
 * @param last the name of the last one to apply; default: all
 * @returns the names applied now
 * @throws the first failure, Unavailable when Postgres is away; then none is applied
 */
export async function migrate(db: Database, last?: string): Promise<readonly string[]> {
  const migrator = new Migrator({ db, provider: { getMigrations: load } });
  const { error, results = [] } = await (last === undefined
    ? migrator.migrateToLatest()
    : migrator.migrateTo(last));
  if (error !== undefined) {
    const failed = results.find((result: MigrationResult) => result.status === "Error")?.migrationName;
    // A server that is away or refuses us is no bug, and trying again may help.
    const Kind = isUnavailable(asUnavailable(error)) ? Unavailable : Error;
    throw new Kind(
      `${failed === undefined ? "migrating" : `migration ${failed}`} failed: ${error instanceof Error ? error.message : String(error)}`,
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
