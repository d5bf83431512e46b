import { createHash } from "node:crypto";
import pg from "pg";
import { unlessAborted } from "../service/unless-aborted.ts";
import type { Database } from "./connect.ts";
import { DriverQuery, poolOf } from "./pool.ts";

/**
 * A statement that each connection parses and plans once, for queries that run for each event: for a look-up of one row,
 * parsing and planning is two thirds of the work, and the query builder with its abortable queries half of the rest.
 *
 * Behind a pooler that changes connections between transactions and does not know prepared statements, it works without.
 *
 * @param statement with `$1`, `$2`, …
 */
export class PreparedStatement<Row extends pg.QueryResultRow> {
  readonly #db: Database;
  readonly #statement: string;
  /** One name means one text, also among processes of two versions that share a pooler's connections. */
  readonly #name: string;
  #isNamed = true;

  constructor(db: Database, statement: string) {
    this.#db = db;
    this.#statement = statement;
    this.#name = `croupier_${createHash("sha256").update(statement).digest("hex").slice(0, 16)}`;
  }

  /** @throws what a query throws, or the signal's reason when aborted; the query then still runs to its end */
  async run(values: readonly unknown[], signal: AbortSignal): Promise<readonly Row[]> {
    signal.throwIfAborted();
    return unlessAborted(this.#ask(values), signal);
  }

  async #ask(values: readonly unknown[]): Promise<readonly Row[]> {
    const client = await poolOf(this.#db).connect();
    try {
      const ask = () =>
        client.query<Row>(this.#statement, [new Named(this.#isNamed ? this.#name : "", values)]);
      const { rows } = await ask().catch((err: unknown) => {
        if (!this.#isNamed || !isAboutName(err)) throw err;
        this.#isNamed = false;
        return ask();
      });
      return rows;
    } finally {
      client.release();
    }
  }
}

class Named extends DriverQuery {
  readonly #name: string;
  readonly #values: readonly unknown[];

  constructor(name: string, values: readonly unknown[]) {
    super();
    this.#name = name;
    this.#values = values;
  }

  run(client: pg.PoolClient, text: string): Promise<pg.QueryResult> {
    return client.query({ name: this.#name, text, values: [...this.#values] });
  }
}

// The statement is not there, is there already, or its result type has changed.
const aboutName = ["26000", "42P05", "0A000"];

function isAboutName(err: unknown): boolean {
  return err instanceof pg.DatabaseError && aboutName.includes(err.code ?? "");
}
