import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { PostgresPool, PostgresPoolClient } from "kysely";
import pg from "pg";

/** How long saying goodbye may take: at a stop whoever had something to settle has done so, or has given up. */
const farewellMs = 500;

/** What the query builder does not know: as the only parameter of a statement it reaches the driver, and runs the statement there. */
export abstract class DriverQuery {
  abstract run(client: pg.PoolClient, text: string): Promise<pg.QueryResult>;
}

const pools = new WeakMap<object, PostgresPool>();

/** The connections of a database, for what is too frequent for the query builder. */
export function poolOf(db: object): PostgresPool {
  const pool = pools.get(db);
  if (pool === undefined) throw new Error("this database was not opened by connectPostgres");
  return pool;
}

export function rememberPool(db: object, pool: PostgresPool): void {
  pools.set(db, pool);
}

/**
 * The pool of the driver, but for three things. It runs a `DriverQuery`. A connection on which a failure says that it is of no more use is closed
 * instead of being lent again. And its end, which by itself waits for as long as a server takes to hang up, takes
 * `patienceMs` at most.
 *
 * @param sockets those of the pool's connections
 */
export function carefulPool(
  pool: pg.Pool,
  sockets: ReadonlySet<Socket>,
  patienceMs = farewellMs,
): PostgresPool {
  return {
    connect: async () => lent(await pool.connect().catch(fromDriver)),
    options: pool.options,
    Client: pg.Client,
    async end() {
      const patience = new AbortController();
      const tooLong = sleep(patienceMs, undefined, { signal: patience.signal }).catch(() => undefined);
      await Promise.race([pool.end(), tooLong]);
      patience.abort();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function lent(client: pg.PoolClient): PostgresPoolClient {
  let isSpent = false;
  const query = async (text: string, values: readonly unknown[]): Promise<unknown> => {
    try {
      const [own] = values;
      return await (own instanceof DriverQuery ? own.run(client, text) : client.query(text, [...values]));
    } catch (err) {
      isSpent ||= isOfNoMoreUse(err);
      return fromDriver(err);
    }
  };
  return {
    query: query as PostgresPoolClient["query"], // no cursor is ever passed: the dialect has none
    release: (destroy = false) => client.release(destroy || isSpent),
  };
}

/**
 * Whether a connection should not be used again after this failure: the server has ended it (57P…), it broke, an answer is
 * still under way on it, or it may only read (25006). The last is what a connection to a primary meets that has become a
 * standby, or one that a proxy still holds there: a new one may reach the server that took over.
 */
function isOfNoMoreUse(err: unknown): boolean {
  if (!(err instanceof pg.DatabaseError)) return true;
  const code = err.code ?? "";
  return code === "25006" || code.startsWith("57P") || code.startsWith("08");
}

/** What the driver itself failed with, on the way to the server and back. */
const driverFailures = new WeakSet<object>();

function fromDriver(err: unknown): never {
  if (err instanceof Error) driverFailures.add(err);
  throw err;
}

/**
 * Whether an error came from the driver, by a socket, a name, TLS or a timeout. The same classes of error thrown anywhere
 * else, around a query, are bugs.
 */
export function isDriverFailure(err: unknown): err is Error {
  const isMisuse = err instanceof TypeError || err instanceof RangeError || err instanceof SyntaxError;
  return err instanceof Error && driverFailures.has(err) && !isMisuse;
}
