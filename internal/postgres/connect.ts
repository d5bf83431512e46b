import { Socket } from "node:net";
import { Kysely, PostgresDialect, sql } from "kysely";
import pg from "pg";
import type { ReadyCheck } from "../service/health.ts";
import { type Log, reasonOf, withoutPassword } from "../service/log.ts";
import type { Opening } from "../service/opening.ts";
import { Refused, Unavailable } from "../service/unavailable.ts";
import { carefulPool, isDriverFailure, rememberPool } from "./pool.ts";
import type { Schema } from "./schema.ts";

export type Database = Kysely<Schema>;

/** Used where neither the caller nor the URL says otherwise. */
const usual = { max: 4, statementTimeoutMs: 10_000 };
/** An event can wait longer for a connection than a probe. */
const connectTimeoutMs = 5_000;
/** A process that hangs in a transaction must not hold its locks forever. */
const idleInTransactionMs = 60_000;

/** Connections that break within this time of each other break for one reason. */
const lossesAreOneMs = 1_000;

/** Settings that a caller knows better than the URL, which all services may share. */
export interface PostgresOptions {
  /** Most connections. */
  readonly max?: number;
  /** How long a statement may take, in ms; 0 = without end. */
  readonly statementTimeoutMs?: number;
  /** How long `destroy` waits for running statements, in ms, before it cuts them off. Default 500. */
  readonly farewellMs?: number;
}

/**
 * A pool of connections. It connects on first use, so a Postgres that is away fails the query, not this call. Close it
 * with `destroy`, which a hanging Postgres does not hold up.
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
    // The server may vanish without a word: then the client has to give up by itself.
    query_timeout: timeout === 0 ? 0 : timeout + 2_000,
    idle_in_transaction_session_timeout: idleInTransactionMs,
    keepAlive: true,
    stream: () => {
      const socket = new Socket();
      sockets.add(socket);
      return socket.once("close", () => sockets.delete(socket));
    },
    // `pg` parses times only in this style and returns null for others, which a database may have as its default.
    options: `${given.options} -c datestyle=ISO`.trim(),
  });
  // A connection that breaks during a query fails the query and also emits an error event. Unhandled, the event would
  // end the process.
  pool.on("connect", (client) => client.on("error", () => undefined));
  // A broken idle connection is replaced at the next query. A server that ends breaks all of them: said once.
  let lostAt = Number.NEGATIVE_INFINITY;
  pool.on("error", (err) => {
    const isFirst = performance.now() - lostAt > lossesAreOneMs;
    lostAt = performance.now();
    const facts = { because: reasonOf(err), server: withoutPassword(url) };
    if (isFirst) log.warn(facts, "lost an idle Postgres connection");
  });
  const careful = carefulPool(pool, sockets, options.farewellMs);
  const db = new Kysely<Schema>({ dialect: new PostgresDialect({ pool: careful }) });
  rememberPool(db, careful);
  return db;
}

/** As `connectPostgres`, for a service or a command: the connections are closed with it. */
export function openPostgres(
  { name, config, log, onClose }: Omit<Opening<"DATABASE_URL">, "signal">,
  options?: PostgresOptions,
): Database {
  const db = connectPostgres(config.DATABASE_URL, name, log, options);
  onClose("Postgres", () => db.destroy());
  return db;
}

// SQLSTATE classes of a server that is away, starting, stopping or out of resources (Postgres manual, appendix A).
const awayClasses = ["08", "53", "57", "58"];
const awayCodes = [
  // Serialization failure, deadlock.
  ...["40001", "40P01"],
  // A lock not granted within lock_timeout.
  "55P03",
  // A read-only standby.
  "25006",
];
/** Not migrated or not set up yet, or another database: table, column, permission. */
const unprepared = ["42P01", "42703", "42501"];
/** It does not let us in: password, role, database. */
const refusals = ["28P01", "28000", "3D000"];

/**
 * The database's failure in the pipeline's terms: `Unavailable` when the same query may succeed later (`Refused` when
 * the server does not let us in), otherwise the error itself, which is a bug, bad data or an abort.
 */
export function asUnavailable(err: unknown): unknown {
  if (err instanceof pg.DatabaseError && refusals.includes(err.code ?? ""))
    return new Refused(`Postgres refuses us: ${err.message}: check DATABASE_URL`, { cause: err });
  if (err instanceof pg.DatabaseError && unprepared.includes(err.code ?? ""))
    return new Unavailable(
      `Postgres lacks what this version needs: ${err.message}: run croupier migrate, or check DATABASE_URL`,
      { cause: err },
    );
  return isAway(err) ? new Unavailable(`Postgres is away: ${whyAway(err)}`, { cause: err }) : err;
}

/** Asks Postgres. @throws Unavailable if Postgres is away or the signal times out; the reason of any other abort */
export async function asking<R>(signal: AbortSignal | undefined, ask: () => Promise<R>): Promise<R> {
  try {
    return await ask();
  } catch (err) {
    throw asUnavailable(signal?.aborted ? signal.reason : err);
  }
}

/** The driver's words, and those of a signal, for a server that takes too long. */
const tooSlow =
  /^(query read timeout|timeout exceeded when|connection terminated due to connection timeout)|due to timeout$/i;
/** The driver's words for bytes that no Postgres sends. */
const foreign = /^received (invalid response|unexpected \w+ message)/i;

/** What a failed connection or query says about the server, for people. */
export function whyAway(err: Error): string {
  if (foreign.test(err.message)) return "what answers is no Postgres: is it another kind of server?";
  if (tooSlow.test(err.message)) return "it does not answer in time";
  return err.message || String(err);
}

function isAway(err: unknown): err is Error {
  // Of the same class as the server's own errors, but without a code.
  if (err instanceof Error && foreign.test(err.message)) return true;
  // The server's own error.
  if (err instanceof pg.DatabaseError)
    return awayClasses.includes(err.code?.slice(0, 2) ?? "") || awayCodes.includes(err.code ?? "");
  // It took longer than its caller can wait.
  if (err instanceof DOMException && err.name === "TimeoutError") return true;
  return isDriverFailure(err);
}

export function postgresAnswers(db: Database): ReadyCheck {
  return async (signal) => {
    await sql`select 1`.execute(db, { signal });
    return undefined;
  };
}

/** What a URL says about the pool; what it leaves open is undefined. */
interface UrlSettings {
  /** Most connections. */
  readonly max?: number;
  /** How long a statement may take, in ms; 0 = without end. */
  readonly statementTimeoutMs?: number;
  /** As Postgres takes them at a start, such as `-c search_path=casino`; empty where there are none. */
  readonly options: string;
  /** The URL without these. */
  readonly url: string;
}

/** Takes out of a URL's query what is settled here. `pg` lets all that it finds in a URL win over what stands beside it. */
function takeUrlSettings(text: string): UrlSettings {
  const url = new URL(text);
  const take = (name: string): string | undefined => {
    const value = url.searchParams.get(name) ?? undefined;
    url.searchParams.delete(name);
    return value;
  };
  const [max, timeout, options = ""] = [take("max"), take("statement_timeout"), take("options")];
  return {
    ...(max === undefined ? {} : { max: Number(max) }),
    ...(timeout === undefined ? {} : { statementTimeoutMs: Number(timeout) }),
    options,
    url: url.href,
  };
}
