import type { Readable, Writable } from "node:stream";
import { type PostgresPoolClient, sql } from "kysely";
import type pg from "pg";
import { from, to } from "pg-copy-streams";
import type { Database } from "./connect.ts";
import { DriverQuery, poolOf } from "./pool.ts";

/**
 * Does `work` in one transaction, on a connection of its own. On a failure it closes the connection, which rolls back
 * even in the middle of a COPY, when no other statement could be sent.
 * @param begin the statement that begins it, with its isolation
 * @throws what `work` and its queries throw
 */
export async function inOneTransaction<T>(
  db: Database,
  begin: string,
  work: (client: PostgresPoolClient) => Promise<T>,
): Promise<T> {
  // `destroy` closes only a pool that the query builder has used; otherwise its connections would keep the process alive
  // for 10 s.
  await sql`select`.execute(db);
  const client = await poolOf(db).connect();
  let isCommitted = false;
  try {
    await client.query(begin, []);
    const result = await work(client);
    await client.query("commit", []);
    isCommitted = true;
    return result;
  } finally {
    client.release(!isCommitted);
  }
}

export interface Copying<S> {
  readonly stream: S;
  /** Settles when the stream has ended, with its result. */
  readonly done: Promise<unknown>;
  /** The number of rows; known when the next statement has been answered. */
  readonly rows: () => number;
}

/** Starts `copy … to stdout`: the stream gives its bytes no faster than they are read. */
export function copyOut(client: PostgresPoolClient, statement: string): Copying<Readable> {
  return begun(client, to(statement), "end");
}

/** Starts `copy … from stdin`: the stream takes bytes no faster than the server. Destroying it stores nothing. */
export function copyIn(client: PostgresPoolClient, statement: string): Copying<Writable> {
  return begun(client, from(statement), "finish");
}

function begun<S extends ReturnType<typeof to> | ReturnType<typeof from>>(
  client: PostgresPoolClient,
  stream: S,
  last: "end" | "finish",
): Copying<S> {
  const done = client.query(stream.text, [new StreamQuery(stream, last)]);
  // The stream's user sees the failure there, perhaps before asking here.
  done.catch(() => undefined);
  return { stream, done, rows: () => stream.rowCount };
}

class StreamQuery extends DriverQuery {
  readonly #stream: ReturnType<typeof to> | ReturnType<typeof from>;
  readonly #last: "end" | "finish";

  constructor(stream: ReturnType<typeof to> | ReturnType<typeof from>, last: "end" | "finish") {
    super();
    this.#stream = stream;
    this.#last = last;
  }

  run(client: pg.PoolClient): Promise<pg.QueryResult> {
    return new Promise((resolve, reject) => {
      this.#stream.once("error", reject);
      this.#stream.once(this.#last, () =>
        resolve({ command: "COPY", rowCount: null, oid: 0, fields: [], rows: [] }),
      );
      client.query(this.#stream);
    });
  }
}
