import { randomBytes } from "node:crypto";
import { type Selectable, sql } from "kysely";
import { asking, type Database } from "../postgres/connect.ts";
import type { Schema } from "../postgres/schema.ts";
import { foreignKeyViolation, sqlState } from "../postgres/sql-state.ts";
import { hashOf } from "./api-key.ts";
import { type KeyScope, ownerOf } from "./client-repository.ts";
import { type FindKeys, type KnownKey, nameOf } from "./key-lookup.ts";

/** How long a code is valid, and how long a session lasts, in ms. */
const codeLifeMs = 10 * 60_000;
export const sessionLifeMs = 12 * 3_600_000;
/** Most sessions of one key; another one ends the oldest. */
const mostOfKey = 20;

// 192 random bits; people recognize it by the prefix.
const codeForm = /^cc_[0-9a-f]{48}$/;
const tokenForm = /^cs_[0-9a-f]{48}$/;
const random = (prefix: string): string => `${prefix}_${randomBytes(24).toString("hex")}`;

/** Whether a text has the form of a session's token; otherwise it is not worth a query. */
export const isSessionToken = (text: string): boolean => tokenForm.test(text);

/** A session just opened. The token is stored nowhere else. */
export interface OpenSession {
  readonly token: string;
  /** Null: an operator's. */
  readonly client: string | null;
}

/** Creates a code that opens one session within ten minutes. @returns undefined when the client does not exist */
export async function createCode(db: Database, scope: KeyScope): Promise<string | undefined> {
  const code = random("cc");
  try {
    await db
      .insertInto("sessions")
      .values({
        hash: hashOf(code),
        kind: "code",
        key_id: null,
        ...ownerOf(scope),
        expires_at: after(codeLifeMs),
      })
      .execute();
    return code;
  } catch (err) {
    if (sqlState(err) === foreignKeyViolation) return undefined;
    throw err;
  }
}

/**
 * Exchanges a code for a session. It works once, over all gateways.
 * @returns undefined when the code does not exist or was used
 * @throws Unavailable
 */
export async function redeemCode(db: Database, code: string): Promise<OpenSession | undefined> {
  if (!codeForm.test(code)) return undefined;
  return asking(undefined, () =>
    db.transaction().execute(async (trx) => {
      const used = await trx
        .deleteFrom("sessions")
        .where("hash", "=", hashOf(code))
        .where("kind", "=", "code")
        .returningAll()
        .executeTakeFirst();
      if (used === undefined || used.expires_at.getTime() <= Date.now()) return undefined;
      return insert(trx, used);
    }),
  );
}

/** Opens a session for a key's holder; it ends with the key. @throws Unavailable */
export async function openSession(db: Database, key: KnownKey): Promise<OpenSession> {
  return asking(undefined, () =>
    db.transaction().execute(async (trx) => {
      const opened = await insert(trx, { key_id: key.id, client_id: key.client, source: key.source });
      // The oldest beyond the limit, and all expired ones.
      await sql`
        delete from sessions where expires_at <= now() or hash in (
          select hash from sessions where key_id = ${key.id}::bigint and kind = 'session'
          order by created_at desc, hash offset ${mostOfKey})`.execute(trx);
      return opened;
    }),
  );
}

/** Ends a session; gateways that know it refuse it within seconds. @throws Unavailable */
export async function endSession(db: Database, token: string): Promise<void> {
  return asking(undefined, async () => {
    await db.deleteFrom("sessions").where("hash", "=", hashOf(token)).execute();
  });
}

/**
 * Looks sessions up as `postgresKeys` does keys. A session counts as a key of its holder, valid no longer than the real
 * key.
 */
export function postgresSessions(db: Database): FindKeys {
  return async (hashes, signal) => {
    return asking(signal, async () => {
      const rows = await db
        .selectFrom("sessions")
        .leftJoin("api_keys", "api_keys.id", "sessions.key_id")
        .leftJoin("clients", "clients.id", "sessions.client_id")
        .select(["sessions.hash", "sessions.client_id", "sessions.source", "sessions.key_id"])
        .select(["api_keys.revoked_at", "clients.disabled_at"])
        .select(sql<Date>`least(sessions.expires_at, api_keys.expires_at)`.as("expires_at"))
        .where("sessions.kind", "=", "session")
        .where(sql<boolean>`sessions.hash = any(${hashes}::bytea[])`)
        .execute({ signal });
      return new Map(rows.map((row) => [nameOf(row.hash), knownOf(row)]));
    });
  };
}

type Found = Pick<Selectable<Schema["sessions"]>, "hash" | "client_id" | "source" | "key_id" | "expires_at">;

function knownOf({
  hash,
  client_id: client,
  source,
  key_id,
  expires_at: expiresAt,
  revoked_at: revokedAt,
  disabled_at: disabledAt,
}: Found & { readonly revoked_at: Date | null; readonly disabled_at: Date | null }): KnownKey {
  // Limits and log lines of a session without a key need a name for it.
  const id = key_id ?? `session-${hash.toString("hex", 0, 4)}`;
  return { id, client, source, expiresAt, revokedAt, disabledAt };
}

type Owner = Pick<Selectable<Schema["sessions"]>, "key_id" | "client_id" | "source">;

async function insert(db: Database, { key_id, client_id, source }: Owner): Promise<OpenSession> {
  const token = random("cs");
  const expires_at = after(sessionLifeMs);
  await db
    .insertInto("sessions")
    .values({ hash: hashOf(token), kind: "session", key_id, client_id, source, expires_at })
    .execute();
  return { token, client: client_id };
}

const after = (ms: number): Date => new Date(Date.now() + ms);
