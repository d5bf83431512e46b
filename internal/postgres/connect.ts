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

export interface PostgresOptions {
  /** Most connections. */
  readonly max?: number;
  /** How long a statement may take, in ms; 0 = without end. */
  readonly statementTimeoutMs?: number;
}

/** A pool of connections. It connects when first used, so a Postgres that is away is met by the query, not here. */
export function connectPostgres(
  url: string,
  service: string,
  log: Log,
  { max = 4, statementTimeoutMs: timeout = statementTimeoutMs }: PostgresOptions = {},
): Database {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: `croupier ${service}`,
    max,
    connectionTimeoutMillis: connectTimeoutMs,
    statement_timeout: timeout,
    // The server may be gone without a word: then the client must give up by itself.
    query_timeout: timeout === 0 ? 0 : timeout + 2_000,
    keepAlive: true,
    // `pg` reads times in this style only, and takes those that a database writes in another for null.
    options: "-c datestyle=ISO",
  });
  // One that breaks during a query says so twice, by the query's failure and as an event. Unheard, either event would
  // end the process.
  pool.on("connect", (client) => client.on("error", () => undefined));
  // An idle connection that breaks is replaced at the next query.
  pool.on("error", (err) => log.warn({ err }, "lost an idle Postgres connection"));
  return new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) });
}

// SQLSTATE classes of a server that is away, starting, stopping or out of resources (Postgres manual, appendix A).
const awayClasses = ["08", "53", "57", "58"];
const awayCodes = [
  // Serialization failure, deadlock.
  ...["40001", "40P01"],
  // A read-only standby.
  "25006",
  // Not migrated or not set up yet: table, column, database, permission, password, role.
  ...["42P01", "42703", "3D000", "42501", "28P01", "28000"],
];

/**
 * The database's failure in the pipeline's terms: `Unavailable` when the same query may succeed later, else the error
 * itself, which is a bug or bad data.
 */
export function asUnavailable(err: unknown): unknown {
  return isAway(err) ? new Unavailable(`Postgres is away: ${err.message || err}`, { cause: err }) : err;
}

function isAway(err: unknown): err is Error {
  // What the server said.
  if (err instanceof pg.DatabaseError)
    return awayClasses.includes(err.code?.slice(0, 2) ?? "") || awayCodes.includes(err.code ?? "");
  // All else never reached it: sockets, names, timeouts of the pool. Or it is a bug of ours.
  const isBug = err instanceof TypeError || err instanceof RangeError || err instanceof SyntaxError;
  return err instanceof Error && !isBug;
}

/** Ready while Postgres answers. */
export function postgresAnswers(db: Database): ReadyCheck {
  return async (signal) => {
    await sql`select 1`.execute(db, { signal });
    return undefined;
  };
}
