import { Kysely, PostgresDialect, sql } from "kysely";
import pg from "pg";
import type { ReadyCheck } from "../health.ts";
import type { Log } from "../log.ts";
import { Unavailable } from "../unavailable.ts";
import type { Schema } from "./schema.ts";

export type Database = Kysely<Schema>;

/** Bounds of one statement and of waiting for a connection: an event can wait longer, a probe cannot. */
const statementTimeoutMs = 10_000;
const connectTimeoutMs = 5_000;

/** A pool of connections. It connects when first used, so a Postgres that is away is met by the query, not here. */
export function connectPostgres(url: string, service: string, log: Log, max = 4): Database {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: `croupier ${service}`,
    max,
    connectionTimeoutMillis: connectTimeoutMs,
    statement_timeout: statementTimeoutMs,
    // The server may be gone without a word: then the client must give up by itself.
    query_timeout: statementTimeoutMs + 2_000,
    keepAlive: true,
  });
  // An idle connection that breaks is replaced at the next query; without a listener it would end the process.
  pool.on("error", (err) => log.warn({ err }, "lost an idle Postgres connection"));
  return new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) });
}

// SQLSTATE classes of a server that is away, starting, stopping or out of resources (Postgres manual, appendix A).
const awayClasses = ["08", "53", "57", "58"];
// Codes outside these classes that time heals: serialization failures, a read-only standby, tables not migrated yet.
const awayCodes = ["40001", "40P01", "25006", "42P01", "3D000", "42501", "28P01", "28000"];

/**
 * The database's failure in the pipeline's terms: `Unavailable` when the same query may succeed later, else the error
 * itself, which is a bug or bad data.
 */
export function asUnavailable(err: unknown): unknown {
  if (!(err instanceof Error)) return err;
  const code = "code" in err && typeof err.code === "string" ? err.code : undefined;
  const isSqlState = code !== undefined && /^[0-9A-Z]{5}$/.test(code);
  const away = isSqlState
    ? awayClasses.includes(code.slice(0, 2)) || awayCodes.includes(code)
    : // Whatever has no SQLSTATE never reached the server: sockets, names, timeouts of the pool.
      !(err instanceof TypeError || err instanceof RangeError || err instanceof SyntaxError);
  return away ? new Unavailable(`Postgres is away: ${err.message}`, { cause: err }) : err;
}

/** Ready while Postgres answers. */
export function postgresAnswers(db: Database): ReadyCheck {
  return async (signal) => {
    await sql`select 1`.execute(db, { signal });
    return undefined;
  };
}
