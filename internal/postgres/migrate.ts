import { readdir } from "node:fs/promises";
import { type Migration, type MigrationResult, Migrator } from "kysely/migration";
import type { Database } from "./connect.ts";

const folder = new URL("../../migrations/", import.meta.url);

/**
 * Applies the migrations that are missing, each in a transaction, in the order of their names. Several processes at
 * once are safe: they take turns by a lock in the database.
 * @returns the names applied now
 * @throws the first failure; the migrations before it stay applied
 */
export async function migrate(db: Database): Promise<readonly string[]> {
  const migrator = new Migrator({ db, provider: { getMigrations: load } });
  const { error, results = [] } = await migrator.migrateToLatest();
  if (error !== undefined) {
    const failed = results.find((result: MigrationResult) => result.status === "Error")?.migrationName;
    throw new Error(
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
