import { expect, onTestFinished } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { databaseForTest } from "../../test/harness/infrastructure.ts";
import { migrateWithSamples } from "../../test/harness/samples.ts";
import { connectPostgres, type Database } from "./connect.ts";
import { type DatabaseUser, databaseUsers, ensureRoles } from "./roles.ts";

/** The same in every test file: the roles are all databases'. */
export const passwords = Object.fromEntries(databaseUsers.map((user) => [user, `${user}-password`]));

/** A connection that ends with the test. */
export function open(url: string): Database {
  const db = connectPostgres(url, "test", silent);
  onTestFinished(() => db.destroy());
  return db;
}

/** A migrated database with the services' roles, for one test file. */
export async function rolesForTest() {
  const shared = await databaseForTest();
  const owner = connectPostgres(shared, "test", silent);
  await migrateWithSamples(owner);
  expect(await ensureRoles(owner, passwords)).toEqual([]);

  /** A connection of a service's user. */
  function as(user: DatabaseUser, database = shared): Database {
    const password = passwords[user] ?? "";
    return open(Object.assign(new URL(database), { username: `casino_${user}`, password }).href);
  }
  return { shared, owner, as };
}
