import { Socket } from "node:net";
import { Kysely, PostgresDialect, sql } from "kysely";
import pg from "pg";
import type { ReadyCheck } from "../service/health.ts";
import { type Log, reasonOf } from "../service/log.ts";
import { Unavailable } from "../service/unavailable.ts";
import { carefulPool, isDriverFailure, rememberPool } from "./pool.ts";
import type { Schema } from "./schema.ts";
import { takeUrlSettings } from "./url-settings.ts";

export type Database = Kysely<Schema>;

/** What holds where neither the caller nor the URL says otherwise. */
const usual = { max: 4, statementTimeoutMs: 10_000 };
/** An event can wait longer for a connection, a probe cannot. */
const connectTimeoutMs = 5_000;
/** A process that hangs in the middle of a transaction must not hold its locks for ever. */
const idleInTransactionMs = 60_000;

/** What a caller knows better than the URL, which all services may share. */
export interface PostgresOptions {
  /** Most connections. */
  readonly max?: number;
  /** How long a statement may take, in ms; 0 = without end. */
  readonly statementTimeoutMs?: number;
  /** How long `destroy` waits for statements under way, in ms; then it cuts them off. Default 500. */
  readonly farewellMs?: number;
}

/**
 * A pool of connections. It connects when first used, so a Postgres that is away is met by the query, not here. To be
 * closed by `destroy`, which a Postgres that hangs does not hold up.
 *
 * The URL's query may set `max` (connections), `statement_timeout`, `lock_timeout` and
 * `idle_in_transaction_session_timeout` (ms), `application_name`, `options` (as in `-c search_path=casino`) and TLS:
 * `sslmode`, `sslrootcert`, `sslcert`, `sslkey`.
 */
export function connectPostgres(
  url: string,
  service: string,
  log: Log,
  options: PostgresOptions = {},
): Database {
  const given = takeUrlSettings(url);
  const { max, statementTimeoutMs: timeout } = { ...usual, ...given, ...options };
  const sockets = new Set<Socket>();
  const pool = new pg.Pool({
    connectionString: given.url,
    application_name: `croupier ${service}`,
    max,
    connectionTimeoutMillis: connectTimeoutMs,
    statement_timeout: timeout,
    // The server may be gone without a word: then the client must give up by itself.
    query_timeout: timeout === 0 ? 0 : timeout + 2_000,
    idle_in_transaction_session_timeout: idleInTransactionMs,
    keepAlive: true,
    stream: () => {
      const socket = new Socket();
      sockets.add(socket);
      return socket.once("close", () => sockets.delete(socket));
    },
    // `pg` reads times in this style only, and takes those that a database writes in another for null.
    options: `${given.options} -c datestyle=ISO`.trim(),
  });
  // One that breaks during a query says so twice, by the query's failure and as an event. Unheard, either event would
  // end the process.
  pool.on("connect", (client) => client.on("error", () => undefined));
  // An idle connection that breaks is replaced at the next query.
  pool.on("error", (err) => log.warn({ because: reasonOf(err) }, "lost an idle Postgres connection"));
  const careful = carefulPool(pool, sockets, options.farewellMs);
  const db = new Kysely<Schema>({ dialect: new PostgresDialect({ pool: careful }) });
  rememberPool(db, careful);
  return db;
}

// SQLSTATE classes of a server that is away, starting, stopping or out of resources (Postgres manual, appendix A).
const awayClasses = ["08", "53", "57", "58"];
const awayCodes = [
  // Serialization failure, deadlock.
  ...["40001", "40P01"],
  // A lock not had within lock_timeout.
  "55P03",
  // A read-only standby.
  "25006",
  // Not migrated or not set up yet: table, column, database, permission, password, role.
  ...["42P01", "42703", "3D000", "42501", "28P01", "28000"],
];

/**
 * The database's failure in the pipeline's terms: `Unavailable` when the same query may succeed later, else the error
 * itself, which is a bug, bad data or the reason of an abort.
 */
export function asUnavailable(err: unknown): unknown {
  return isAway(err) ? new Unavailable(`Postgres is away: ${err.message || err}`, { cause: err }) : err;
}

function isAway(err: unknown): err is Error {
  // What the server said.
  if (err instanceof pg.DatabaseError)
    return awayClasses.includes(err.code?.slice(0, 2) ?? "") || awayCodes.includes(err.code ?? "");
  // It took longer than its caller can wait.
  if (err instanceof DOMException && err.name === "TimeoutError") return true;
  return isDriverFailure(err);
}

/** Ready while Postgres answers. */
export function postgresAnswers(db: Database): ReadyCheck {
  return async (signal) => {
    await sql`select 1`.execute(db, { signal });
    return undefined;
  };
}
