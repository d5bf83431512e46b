import { sql } from "kysely";
import { asUnavailable, type Database } from "../postgres/connect.ts";
import { hashOf, newApiKey, prefixOf } from "./api-key.ts";

/** Whom a key is good for: one client's producer of that name, or an operator. */
export type KeyScope = { readonly client: string; readonly source: string } | "operator";

/** A client as lists show it. */
export interface ClientRow {
  readonly id: string;
  readonly name: string;
  readonly createdAt: Date;
}

/** A key as lists show it: everything but the key. */
export interface KeyRow {
  readonly id: string;
  readonly prefix: string;
  readonly client: string | null;
  readonly source: string | null;
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
}

/** Adds a client. @returns false when there is one of this id already; it stays as it is. */
export async function addClient(db: Database, id: string, name: string): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto("clients")
    .values({ id, name })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return numInsertedOrUpdatedRows === 1n;
}

/** Whether a client is registered. @throws Unavailable */
export async function hasClient(db: Database, id: string): Promise<boolean> {
  try {
    const row = await db.selectFrom("clients").select("id").where("id", "=", id).executeTakeFirst();
    return row !== undefined;
  } catch (err) {
    throw asUnavailable(err);
  }
}

export async function listClients(db: Database): Promise<readonly ClientRow[]> {
  return db.selectFrom("clients").select(["id", "name", "created_at as createdAt"]).orderBy("id").execute();
}

/** Creates a key. @returns the key itself, which is kept nowhere; undefined when there is no such client */
export async function createKey(
  db: Database,
  scope: KeyScope,
  expiresAt: Date | null = null,
): Promise<string | undefined> {
  const key = newApiKey();
  const owner =
    scope === "operator"
      ? { client_id: null, source: null }
      : { client_id: scope.client, source: scope.source };
  try {
    await db
      .insertInto("api_keys")
      .values({ ...owner, prefix: prefixOf(key), hash: hashOf(key), expires_at: expiresAt, revoked_at: null })
      .execute();
    return key;
  } catch (err) {
    if (err instanceof Error && "code" in err && err.code === foreignKeyViolation) return undefined;
    throw err;
  }
}

const foreignKeyViolation = "23503";

/** All keys, or those of one client, the oldest first. */
export async function listKeys(db: Database, client?: string): Promise<readonly KeyRow[]> {
  return db
    .selectFrom("api_keys")
    .select([
      "id",
      "prefix",
      "client_id as client",
      "source",
      "created_at as createdAt",
      "expires_at as expiresAt",
      "revoked_at as revokedAt",
    ])
    .$if(client !== undefined, (query) => query.where("client_id", "=", client ?? ""))
    .orderBy(sql`api_keys.id`)
    .execute();
}

/**
 * Revokes the key of this prefix, for good; a key revoked before stays revoked since then.
 * @returns how many keys have the prefix: nothing is done unless it is one
 */
export async function revokeKey(db: Database, prefix: string): Promise<number> {
  return db.transaction().execute(async (trx) => {
    const found = await trx.selectFrom("api_keys").select("id").where("prefix", "=", prefix).execute();
    if (found.length === 1)
      await trx
        .updateTable("api_keys")
        .set({ revoked_at: sql`coalesce(revoked_at, now())` })
        .where("prefix", "=", prefix)
        .execute();
    return found.length;
  });
}
