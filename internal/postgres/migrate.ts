import { readdir } from "node:fs/promises";
import { type Migration, type MigrationResult, Migrator } from "kysely/migration";
import { isUnavailable, Unavailable } from "../service/unavailable.ts";
import { asUnavailable, type Database } from "./connect.ts";

const folder = new URL("../../migrations/", import.meta.url);

/**
 * Applies the migrations that are missing, in the order of their names, all in one transaction. Several processes at once
 * are safe: they take turns by a lock in the database.
 * @param last the name of the last one to apply; default: all of them
 * @returns the names applied now
 * @throws the first failure, Unavailable where Postgres is away; none is applied then
 */
export async function migrate(db: Database, last?: string): Promise<readonly string[]> {
  const migrator = new Migrator({ db, provider: { getMigrations: load } });
  const { error, results = [] } = await (last === undefined
    ? migrator.migrateToLatest()
    : migrator.migrateTo(last));
  if (error !== undefined) {
    const failed = results.find((result: MigrationResult) => result.status === "Error")?.migrationName;
    // Away or refusing us is no bug, and the same again may work.
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
