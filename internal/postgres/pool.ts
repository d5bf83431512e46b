import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { PostgresPool, PostgresPoolClient } from "kysely";
import pg from "pg";

/** How long closing may take. At a stop, all work is settled or given up by then. */
const farewellMs = 500;

/** Unknown to the query builder: as a statement's only parameter it reaches the driver, which runs the statement itself. */
export abstract class DriverQuery {
  abstract run(client: pg.PoolClient, text: string): Promise<pg.QueryResult>;
}

const pools = new WeakMap<object, PostgresPool>();

/** A database's connections, for queries too frequent for the query builder. */
export function poolOf(db: object): PostgresPool {
  const pool = pools.get(db);
  if (pool === undefined) throw new Error("this database was not opened by connectPostgres");
  return pool;
}

export function rememberPool(db: object, pool: PostgresPool): void {
  pools.set(db, pool);
}

/**
 * The driver's pool, with three differences. It runs a `DriverQuery`. It closes a connection whose failure makes it
 * useless, instead of lending it again. And closing it takes at most `patienceMs`, not as long as a server takes to hang
 * up.
 *
 * @param sockets the sockets of the pool's connections
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
 * Whether a connection should not be used again after this failure: the server ended it (57P…), it broke, an answer is
 * still under way, or it may only read (25006). The last happens when a primary has become a standby, or a proxy still
 * holds a connection to one: a new connection may reach the server that took over.
 */
function isOfNoMoreUse(err: unknown): boolean {
  if (!(err instanceof pg.DatabaseError)) return true;
  const code = err.code ?? "";
  return code === "25006" || code.startsWith("57P") || code.startsWith("08");
}

/** An error of the driver itself, on the way to the server or back. */
const driverFailures = new WeakSet<object>();

function fromDriver(err: unknown): never {
  if (err instanceof Error) driverFailures.add(err);
  throw err;
}

/**
 * Whether an error comes from the driver: a socket, a name, TLS or a timeout. The same classes of error thrown anywhere
 * else are bugs.
 */
export function isDriverFailure(err: unknown): err is Error {
  const isMisuse = err instanceof TypeError || err instanceof RangeError || err instanceof SyntaxError;
  return err instanceof Error && driverFailures.has(err) && !isMisuse;
}
