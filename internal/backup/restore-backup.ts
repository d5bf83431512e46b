import { pipeline } from "node:stream/promises";
import type { PostgresPoolClient } from "kysely";
import pg from "pg";
import type { Database } from "../postgres/connect.ts";
import { copyIn, inOneTransaction } from "../postgres/copy-streams.ts";
import { CommandError } from "../service/command-error.ts";
import type { BackupReader } from "./backup-reader.ts";
import { appliedMigrations, identityColumns, tablesInUse } from "./database.ts";
import {
  damaged,
  type EndLine,
  endLine,
  type Header,
  header,
  parseLine,
  tableLine,
  tables,
} from "./format.ts";
import type { BackupProgress } from "./write-backup.ts";

/** How long to wait for the tables' locks while services run. */
const lockTimeoutMs = 30_000;

/** Reads a backup's header. @throws CommandError */
export async function readHeader(reader: BackupReader): Promise<Header> {
  try {
    return parseLine(header, await reader.line());
  } catch (err) {
    if (!(err instanceof CommandError)) throw err;
    throw new CommandError("This is no backup that croupier backup has written, or one of another form.", {
      cause: err,
    });
  }
}

/**
 * Whether a backup can be restored here: the tables already in use.
 * @throws CommandError when the database has other migrations
 */
export async function lookAtTarget(
  db: Database,
  { migrations, version }: Header,
): Promise<readonly string[]> {
  return inOneTransaction(db, "begin read only", async (client) => {
    const here = await appliedMigrations(client);
    if (here.join() !== migrations.join())
      throw new CommandError(
        `The backup has the schema of ${migrations.at(-1)}, the database that of ${here.at(-1)}: ${
          here.every((name) => migrations.includes(name))
            ? "run croupier migrate there first."
            : `restore it with the Croupier that wrote it (${version}) into a new database, then run this one's migrate.`
        }`,
      );
    return tablesInUse(client);
  });
}

/**
 * Replaces everything in the database by a backup's rows, in one transaction: until it is complete nothing has changed.
 * The tables are locked meanwhile. Memory does not grow with the data.
 * @param replace even if the database is already in use
 * @returns how many rows, by table
 * @throws CommandError, what queries throw, the signal's reason when aborted
 */
export async function restoreBackup(
  db: Database,
  reader: BackupReader,
  {
    replace,
    signal,
    progress,
  }: {
    readonly replace: boolean;
    readonly signal: AbortSignal;
    readonly progress: (now: BackupProgress) => void;
  },
): Promise<EndLine["rows"]> {
  const all = tables.map((table) => pg.escapeIdentifier(table)).join(", ");
  return inOneTransaction(db, "begin", async (client) => {
    await client.query(`set local lock_timeout = ${lockTimeoutMs}`, []);
    await client.query(`lock table ${all} in access exclusive mode`, []);
    // Somebody may have started using it since the check.
    if (!replace && (await tablesInUse(client)).length > 0)
      throw new CommandError("Somebody has put something into the database meanwhile: nothing was changed.");
    await client.query(`truncate ${all}`, []);
    // The rows were consistent at their origin, and triggers would count games' changes again and scan all events.
    // Foreign keys and checks stay.
    await triggers(client, "disable");
    const { restored, end } = await copyAll(client, reader, signal, progress);
    await reader.end();
    const isWhole = Object.keys(end.rows).length === tables.length;
    if (!isWhole || tables.some((table) => restored.get(table) !== end.rows[table]))
      throw damaged("it has not the rows that it should have");
    await triggers(client, "enable");
    await restoreIdentities(client, end.identities);
    signal.throwIfAborted();
    return end.rows;
  });
}

async function copyAll(
  client: PostgresPoolClient,
  reader: BackupReader,
  signal: AbortSignal,
  progress: (now: BackupProgress) => void,
): Promise<{ restored: ReadonlyMap<string, number>; end: EndLine }> {
  const restored = new Map<string, number>();
  let bytes = 0;
  for (;;) {
    const line = await reader.line();
    if (line.startsWith('{"end"')) return { restored, end: parseLine(endLine, line) };
    const { table, columns } = parseLine(tableLine, line);
    const list = columns.map((column) => pg.escapeIdentifier(column)).join(", ");
    const copying = copyIn(client, `copy ${pg.escapeIdentifier(table)} (${list}) from stdin`);
    await pipeline(
      async function* () {
        for await (const rows of reader.rows()) {
          bytes += rows.length;
          progress({ table, bytes });
          yield rows;
        }
      },
      copying.stream,
      { signal },
    );
    await copying.done;
    restored.set(table, copying.rows());
  }
}

/** The schema's triggers; the server's own enforce foreign keys. */
async function triggers(client: PostgresPoolClient, change: "disable" | "enable"): Promise<void> {
  for (const table of tables)
    await client.query(`alter table ${pg.escapeIdentifier(table)} ${change} trigger user`, []);
}

/**
 * Continues the numbering of the backup's database, also after numbers whose rows are gone. Unlike `setval` it is rolled
 * back with the rest.
 */
async function restoreIdentities(client: PostgresPoolClient, saved: EndLine["identities"]): Promise<void> {
  for (const { table, column } of await identityColumns(client)) {
    const before = saved.find((it) => it.table === table && it.column === column)?.last ?? "0";
    const [name, number] = [pg.escapeIdentifier(table), pg.escapeIdentifier(column)];
    const { rows } = await client.query<{ next: string }>(
      `select (greatest(max(${number}), $1::bigint) + 1)::text as next from ${name}`,
      [before],
    );
    await client.query(`alter table ${name} alter column ${number} restart with ${rows[0]?.next ?? "1"}`, []);
  }
}
