import type { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import type { PostgresPoolClient } from "kysely";
import pg from "pg";
import type { Database } from "../postgres/connect.ts";
import { type Copying, copyOut, inOneTransaction } from "../postgres/copy-streams.ts";
import { CommandError } from "../service/command-error.ts";
import { appliedMigrations, identityColumns } from "./database.ts";
import { type EndLine, type Header, tables } from "./format.ts";

export interface BackupProgress {
  readonly table: string;
  /** Of rows, over all tables so far, uncompressed. */
  readonly bytes: number;
}

/**
 * Writes every table as it is at one moment, compressed; services may go on meanwhile. Memory does not grow with the
 * data.
 * @param to is ended, except stdout, which stays open
 * @returns how many rows, by table
 * @throws CommandError, what queries and the stream throw, the signal's reason when aborted
 */
export async function writeBackup(
  db: Database,
  to: Writable,
  {
    version,
    signal,
    progress,
  }: {
    readonly version: string;
    readonly signal: AbortSignal;
    readonly progress: (now: BackupProgress) => void;
  },
): Promise<EndLine["rows"]> {
  return inOneTransaction(
    db,
    "begin transaction isolation level repeatable read read only",
    async (client) => {
      const migrations = await appliedMigrations(client);
      const head: Header = { croupier_backup: 1, version, at: new Date().toISOString(), migrations };
      let rows: EndLine["rows"] = {};
      await pipeline(
        async function* () {
          yield lineOf(head);
          const copied: (readonly [table: string, copying: Copying<unknown>])[] = [];
          let bytes = 0;
          for (const table of tables) {
            const columns = await columnsOf(client, table);
            yield lineOf({ table, columns });
            const list = columns.map((column) => pg.escapeIdentifier(column)).join(", ");
            const copying = copyOut(client, `copy ${pg.escapeIdentifier(table)} (${list}) to stdout`);
            for await (const chunk of copying.stream as AsyncIterable<Buffer>) {
              bytes += chunk.length;
              progress({ table, bytes });
              yield chunk;
            }
            await copying.done;
            yield "\\.\n";
            copied.push([table, copying]);
          }
          // After the last COPY, whose count comes with the next answer; no number in a row is above these.
          const identities = await identityColumns(client);
          rows = Object.fromEntries(copied.map(([table, copying]) => [table, copying.rows()]));
          const end: EndLine = { end: true, rows, identities: [...identities] };
          yield lineOf(end);
        },
        createGzip({ chunkSize: 256 * 1024 }),
        to,
        { signal, end: to !== process.stdout },
      );
      return rows;
    },
  );
}

const lineOf = (value: object): string => `${JSON.stringify(value)}\n`;

async function columnsOf(client: PostgresPoolClient, table: string): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select attname as name from pg_attribute
     where attrelid = to_regclass($1) and attnum > 0 and not attisdropped and attgenerated = '' order by attnum`,
    [pg.escapeIdentifier(table)],
  );
  if (rows.length === 0) throw new CommandError(`The database has no table "${table}": migrate it first.`);
  return rows.map(({ name }) => name);
}
