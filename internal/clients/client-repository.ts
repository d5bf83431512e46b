import { sql } from "kysely";
import { asking, type Database } from "../postgres/connect.ts";
import { foreignKeyViolation, sqlState } from "../postgres/sql-state.ts";
import { hashOf, newApiKey, prefixOf } from "./api-key.ts";

/** What a key allows: sending as one client's producer of that name, or being an operator. */
export type KeyScope = { readonly client: string; readonly source: string } | "operator";

/** A scope as its columns; an operator's are null. */
export function ownerOf(scope: KeyScope): { client_id: string | null; source: string | null } {
  return scope === "operator"
    ? { client_id: null, source: null }
    : { client_id: scope.client, source: scope.source };
}

/** A key as lists show it: everything but the key. */
export type KeyRow = Awaited<ReturnType<typeof listKeys>>[number];

/** Adds a client. @returns false, without changing anything, when the id exists */
export async function addClient(db: Database, id: string, name: string): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto("clients")
    .values({ id, name })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return numInsertedOrUpdatedRows === 1n;
}

/** Whether a client's events are accepted: it is registered and not disabled. @throws Unavailable */
export async function takesEventsOf(db: Database, id: string): Promise<boolean> {
  const client = db.selectFrom("clients").select("disabled_at").where("id", "=", id);
  return (await asking(undefined, () => client.executeTakeFirst()))?.disabled_at === null;
}

/** Disables or enables a client; harmless to repeat. @returns false when it does not exist */
export async function setDisabled(db: Database, id: string, isDisabled: boolean): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable("clients")
    .set({ disabled_at: isDisabled ? sql`coalesce(disabled_at, now())` : null })
    .where("id", "=", id)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** What belongs to a client beside its events. */
interface Belongings {
  readonly keys: number;
  readonly players: number;
  readonly games: number;
  readonly schemas: number;
}

/** What deleting a client would delete. */
export async function belongingsOf(db: Database, id: string): Promise<Belongings> {
  const { rows } = await sql<Readonly<Record<keyof Belongings, string>>>`
    select (select count(*) from api_keys where client_id = ${id}) as keys,
      (select count(*) from players where client_id = ${id}) as players,
      (select count(*) from games where client_id = ${id}) as games,
      (select count(*) from event_type_schemas where client_id = ${id}) as schemas`.execute(db);
  const { keys = "0", players = "0", games = "0", schemas = "0" } = rows[0] ?? {};
  return { keys: Number(keys), players: Number(players), games: Number(games), schemas: Number(schemas) };
}

/**
 * Deletes a client with its keys, players, games, schemas, destinations and recorded deliveries. A client that has events stays unchanged.
 * @returns "unknown" when it does not exist; "in use" when something else, above all its events, refers to it
 */
export async function removeClient(db: Database, id: string): Promise<"removed" | "unknown" | "in use"> {
  try {
    return await db.transaction().execute(async (trx) => {
      for (const table of [
        "sessions",
        "api_keys",
        "players",
        "games",
        "event_type_schemas",
        "destinations",
        "deliveries",
      ] as const)
        await sql`delete from ${sql.table(table)} where client_id = ${id}`.execute(trx);
      const { numDeletedRows } = await trx.deleteFrom("clients").where("id", "=", id).executeTakeFirst();
      return numDeletedRows === 1n ? "removed" : "unknown";
    });
  } catch (err) {
    if (sqlState(err) === foreignKeyViolation) return "in use";
    throw err;
  }
}

/** A client with `disabledAt` is disabled since then: its keys are refused and its events become dead letters. */
export function listClients(db: Database) {
  return db
    .selectFrom("clients")
    .select(["id", "name", "created_at as createdAt", "disabled_at as disabledAt"])
    .orderBy("id")
    .execute();
}

/** Creates a key. @returns the key itself, which is stored nowhere; undefined when the client does not exist */
export async function createKey(
  db: Database,
  scope: KeyScope,
  expiresAt: Date | null = null,
): Promise<string | undefined> {
  const key = newApiKey();
  try {
    await db
      .insertInto("api_keys")
      .values({
        ...ownerOf(scope),
        prefix: prefixOf(key),
        hash: hashOf(key),
        expires_at: expiresAt,
        revoked_at: null,
      })
      .execute();
    return key;
  } catch (err) {
    if (sqlState(err) === foreignKeyViolation) return undefined;
    throw err;
  }
}

/** All keys, or those of one client, oldest first. */
export function listKeys(db: Database, client?: string) {
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
 * Revokes the key with this prefix for good; a revoked key keeps its earlier date.
 * @returns how many keys have the prefix: unless it is one, nothing is done
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
