import { connectPostgres, type Database } from "../../internal/postgres/connect.ts";
import { migrate } from "../../internal/postgres/migrate.ts";
import { plantSamples } from "../../internal/samples/samples.ts";
import { silent } from "./broker.ts";

/** The schema, and the sample clients, players, games and types that tests speak of. */
export async function migrateWithSamples(db: Database): Promise<void> {
  await migrate(db);
  await plantSamples(db);
}

/** As `migrateWithSamples`, for a database of which the URL is at hand. */
export async function prepareWithSamples(url: string): Promise<void> {
  await using db = connectPostgres(url, "test", silent);
  await migrateWithSamples(db);
}
