import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "kysely";
import type { Database } from "./connect.ts";
import type { Schema } from "./schema.ts";
import { sqlState, uniqueViolation } from "./sql-state.ts";

type Grants = { readonly [T in keyof Schema]?: string };

/** The columns of `events` that an erasure changes. */
const erasing = "update (player_email, player_last_signed_in_at, description)";

/** What each service may do in the database; `operator` is for people's commands. The schema's owner may do everything. */
export const grants = {
  enricher: {
    clients: "select",
    players: "select",
    games: "select",
    game_versions: "select",
    event_type_schemas: "select",
  },
  gateway: {
    clients: "select",
    players: "select, insert, update (email, last_signed_in_at), delete",
    games: "select, insert, update (title), delete",
    // The dashboard creates clients' keys and event types.
    api_keys: "select, insert, update (revoked_at)",
    sessions: "select, insert, delete",
    event_types: "select, insert",
    event_type_schemas: "select, insert, update, delete",
    events: `select, ${erasing}`,
    erasures: "select, insert, update",
    destinations: "select, insert, update, delete",
    destination_secrets: "select, insert, update, delete",
    deliveries: "select, update (answer)",
    delivery_requests: "select, insert",
  },
  // It deletes what is older than ARCHIVE_RETENTION.
  archiver: { events: "select, insert, delete" },
  generator: { clients: "select", event_type_schemas: "select" },
  // It deletes deliveries and requests older than DELIVERY_RETENTION.
  sender: {
    clients: "select",
    events: "select",
    destinations: "select, update (enabled, disabled_at, disabled_reason, failing_since, updated_at)",
    destination_secrets: "select",
    deliveries: "select, insert, delete",
    delivery_requests: "select, update (position, sent, done_at, error), delete",
    destination_places: "select, insert, update",
  },
  operator: {
    clients: "select, insert, update (disabled_at), delete",
    players: "select, insert, update (email, last_signed_in_at), delete",
    games: "select, insert, update (title), delete",
    api_keys: "select, insert, update (revoked_at), delete",
    sessions: "select (client_id), insert, delete",
    event_types: "select, insert",
    event_type_schemas: "select, insert, update, delete",
    event_type_changes: "select",
    events: `select, ${erasing}`,
    erasures: "select, insert, update",
    destinations: "select, insert, update, delete",
    destination_secrets: "select, insert, update, delete",
    deliveries: "select, update (answer)",
    delivery_requests: "select, insert",
    destination_places: "select",
  },
} as const satisfies Readonly<Record<string, Grants>>;

export type DatabaseUser = keyof typeof grants;

export const databaseUsers = Object.keys(grants) as readonly DatabaseUser[]; // the keys of the literal above

/** Roles belong to all databases of a server, hence the prefix. */
const usualPrefix = "casino_";

/**
 * Creates the services' roles where they are missing, gives them exactly their rights in this database, and lets those
 * with a password here log in with it. Any number of processes may do so at once. It leaves alone what is already right,
 * and all other members and rights of the roles.
 *
 * @returns what the connection's user may not do about it, one sentence each; the rest is done
 */
export async function ensureRoles(
  db: Database,
  passwords: Readonly<Partial<Record<DatabaseUser, string>>> = {},
  prefix: string = usualPrefix,
): Promise<readonly string[]> {
  const problems: string[] = [];
  const there: DatabaseUser[] = [];
  for (const user of databaseUsers) if (await ensureRole(db, prefix + user)) there.push(user);
  const missing = databaseUsers.filter((user) => !there.includes(user)).map((user) => prefix + user);
  if (missing.length > 0)
    problems.push(
      `this user may not make the services' own roles: to use them, have one who may run "${missing.map((role) => `create role ${role};`).join(" ")}", then migrate again`,
    );
  await again(() => grantAll(db, there, prefix));
  for (const user of there) {
    const password = passwords[user];
    if (password !== undefined && !(await ensureLogin(db, prefix + user, password)))
      problems.push(
        `this user may not set the password of ${prefix}${user}, a role that another has made: have it set there`,
      );
  }
  return problems;
}

/** @returns whether it exists now */
async function ensureRole(db: Database, role: string): Promise<boolean> {
  const found = sql`select from pg_roles where rolname = ${role}`;
  const isThere = async () => (await found.execute(db)).rows.length > 0;
  if (await isThere()) return true;
  try {
    await sql`create role ${sql.id(role)}`.execute(db);
    return true;
  } catch (err) {
    // Another process was faster, perhaps in another database.
    if (hasCode(err, [duplicateObject, uniqueViolation])) return true;
    if (hasCode(err, [insufficientPrivilege])) return await isThere();
    throw err;
  }
}

async function grantAll(db: Database, users: readonly DatabaseUser[], prefix: string): Promise<void> {
  await db.transaction().execute(async (trx) => {
    // Two processes granting on one table at once is an error.
    await sql`select pg_advisory_xact_lock(${lockKey}::bigint)`.execute(trx);
    for (const user of users) {
      const role = sql.id(prefix + user);
      const own: Grants = grants[user];
      for (const table of tables) {
        await sql`revoke all on ${sql.table(table)} from ${role}`.execute(trx);
        const rights = own[table];
        if (rights !== undefined)
          await sql`grant ${sql.raw(rights)} on ${sql.table(table)} to ${role}`.execute(trx);
      }
    }
  });
}

const tables = [...new Set(databaseUsers.flatMap((user) => Object.keys(grants[user])))] as (keyof Schema)[]; // keys of Grants

/** An arbitrary number, the same in every process that grants. */
const lockKey = 4_862_090_312;

async function ensureLogin(db: Database, role: string, password: string): Promise<boolean> {
  const alter = sql`alter role ${sql.id(role)} login password ${sql.lit(scramVerifier(password))}`;
  try {
    await again(() => alter.execute(db));
    return true;
  } catch (err) {
    if (hasCode(err, [insufficientPrivilege])) return false;
    throw err;
  }
}

/** Two changes of one catalogue entry at once do not wait for each other: one fails. */
async function again(work: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await work();
      return;
    } catch (err) {
      const isRace = hasCode(err, [internalError]) && err.message.includes("concurrently updated");
      if (!isRace || attempt === 10) throw err;
      await sleep(20 * attempt);
    }
  }
}

// SQLSTATE, Postgres manual, appendix A.
const duplicateObject = "42710";
const insufficientPrivilege = "42501";
const internalError = "XX000";

function hasCode(err: unknown, codes: readonly string[]): err is Error {
  return codes.includes(sqlState(err) ?? "");
}

const iterations = 4096;

/**
 * What Postgres keeps of a password (RFC 5803, SCRAM-SHA-256): handed over like this the password itself appears neither
 * on the wire nor in a log of statements. The password is letters, digits and punctuation of ASCII, of which
 * normalization (RFC 4013) changes nothing.
 */
function scramVerifier(password: string, salt: Buffer = randomBytes(16)): string {
  const salted = pbkdf2Sync(password, salt, iterations, 32, "sha256");
  const hmac = (text: string): Buffer => createHmac("sha256", salted).update(text).digest();
  const storedKey = createHash("sha256").update(hmac("Client Key")).digest();
  const keys = [storedKey, hmac("Server Key")].map((key) => key.toString("base64"));
  return `SCRAM-SHA-256$${iterations}:${salt.toString("base64")}$${keys.join(":")}`;
}
