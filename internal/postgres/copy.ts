import { CompiledQuery } from "kysely";
import pg from "pg";
import type { Database } from "./connect.ts";
import { DriverQuery } from "./pool.ts";

/**
 * Runs `copy … from stdin`: stores all rows, or on any failure none.
 * @param statement with the columns and the format
 * @throws what a query throws
 */
export async function copyInto(
  db: Database,
  statement: string,
  bytes: Buffer,
  signal: AbortSignal,
): Promise<void> {
  await db.executeQuery(CompiledQuery.raw(statement, [new Copy(bytes)]), { signal });
}

class Copy extends DriverQuery {
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    super();
    this.#bytes = bytes;
  }

  run(client: pg.PoolClient, statement: string): Promise<pg.QueryResult> {
    return new Promise((resolve, reject) => {
      client.query(new CopyIn(statement, this.#bytes), (err: Error | null, result) =>
        err === null ? resolve(result) : reject(err),
      );
    });
  }
}

/** The part of the driver's connection that sends COPY data. */
interface CopyConnection {
  sendCopyFromChunk(bytes: Buffer): void;
  endCopyFrom(): void;
}

/** The driver's own query refuses to send data when the server asks for it; all else is the same. */
class CopyIn extends pg.Query {
  declare readonly text: string;
  readonly #bytes: Buffer;

  constructor(statement: string, bytes: Buffer) {
    super(statement);
    this.#bytes = bytes;
  }

  /** Called by the driver when the server is ready to read. */
  handleCopyInResponse(connection: CopyConnection): void {
    connection.sendCopyFromChunk(this.#bytes);
    connection.endCopyFrom();
  }
}
