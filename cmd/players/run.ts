import { createReadStream } from "node:fs";
import { addAbortSignal } from "node:stream";
import { requireClient } from "../../internal/clients/require-client.ts";
import type { Database } from "../../internal/postgres/connect.ts";
import { type ImportCounts, importRecords } from "../../internal/records/import.ts";
import { postgresRecords } from "../../internal/records/postgres-records.ts";
import type { ClientRecord, RecordKind, RecordStore } from "../../internal/records/record.ts";
import { CommandError } from "../../internal/service/command-error.ts";
import { counted } from "../../internal/service/counted.ts";
import { Progress } from "../../internal/service/progress.ts";
import type { CommandTools } from "../../internal/service/run-command.ts";
import { factTable, table } from "../../internal/service/table.ts";
import type { RecordsCommand } from "./command.ts";

export interface RecordsRun extends Pick<CommandTools, "say" | "remark" | "signal"> {
  readonly db: Database;
}

/** Records per database query. */
const pageSize = 1_000;

/** Runs a command, in memory that does not grow with the number of records. @throws CommandError, Unavailable */
export async function runCommand<T extends ClientRecord>(
  kind: RecordKind<T>,
  command: RecordsCommand,
  run: RecordsRun,
): Promise<void> {
  const { db, signal, say } = run;
  const { client } = command;
  await requireClient(db, client);
  const store = postgresRecords(db, kind);
  switch (command.do) {
    case "import":
      return importFile(kind, store, command, run);
    case "list": {
      const read = (after: number, limit: number) => store.list(client, after, limit, signal);
      const all = pages(read, ({ id }) => id);
      return command.json ? listJson(all, say) : listTable(kind, all, say);
    }
    case "show": {
      const record = await store.find(client, command.id, signal);
      if (record === undefined)
        throw new CommandError(`The client ${client} has no ${kind.one} ${command.id}.`);
      say(command.json ? `${JSON.stringify(record)}\n` : factTable(record));
    }
  }
}

async function importFile<T extends ClientRecord>(
  kind: RecordKind<T>,
  store: RecordStore<T>,
  { client, file, dryRun }: RecordsCommand & { readonly do: "import" },
  { say, remark, signal }: RecordsRun,
): Promise<void> {
  using progress = new Progress(kind.many);
  let counts: ImportCounts = { added: 0, replaced: 0, refused: 0 };
  const said = ({ added, replaced, refused }: ImportCounts): string =>
    dryRun
      ? `${counted(added, kind.one, kind.many)} can be stored, ${refused} refused; nothing was stored`
      : `${counted(added, kind.one, kind.many)} added, ${replaced} replaced, ${refused} refused`;
  try {
    counts = await importRecords(
      addAbortSignal(signal, file === "-" ? process.stdin : createReadStream(file)),
      {
        kind,
        put: dryRun ? async (records) => records.length : (records) => store.put(client, records, signal),
        refuse(line, why) {
          progress.clear();
          remark(`line ${line}: ${why}\n`);
        },
        progress(now) {
          counts = now;
          progress.show(() => said(now));
        },
      },
    );
  } catch (err) {
    progress.clear();
    if (counts.added + counts.replaced > 0) remark(`Until then: ${said(counts)}.\n`);
    signal.throwIfAborted();
    if (err instanceof Error && "syscall" in err)
      throw new CommandError(`The file cannot be read: ${err.message}.`, { cause: err });
    throw err;
  }
  progress.clear();
  say(`${said(counts)}.\n`);
  if (counts.refused > 0)
    throw new CommandError("Not every line was stored: the invalid ones are named above.");
}

/** All records by id, a page at a time. @param read the next ones after an id */
export async function* pages<T>(
  read: (after: number, limit: number) => Promise<readonly T[]>,
  idOf: (record: T) => number,
): AsyncGenerator<readonly T[]> {
  for (let after = 0; ; ) {
    const page = await read(after, pageSize);
    if (page.length > 0) yield page;
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize) return;
    after = idOf(last);
  }
}

/** One document, so that any reader can parse it; written while it is read. */
async function listJson(all: AsyncIterable<readonly ClientRecord[]>, say: (text: string) => void) {
  let before = "[";
  for await (const page of all) {
    say(`${before}${page.map((record) => JSON.stringify(record)).join(",\n")}`);
    before = ",\n";
  }
  say(before === "[" ? "[]\n" : "]\n");
}

/** Columns are as wide as the page needs. */
async function listTable<T extends ClientRecord>(
  { columns }: RecordKind<T>,
  all: AsyncIterable<readonly T[]>,
  say: (text: string) => void,
) {
  const head = ["id", ...Object.keys(columns)];
  let heading: { readonly head?: readonly string[] } = { head };
  for await (const page of all) {
    say(
      table(
        page.map((record) => Object.values(record).map(shown)),
        heading,
      ),
    );
    heading = {};
  }
  if (heading.head !== undefined) say(table([], heading));
}

const shown = (value: unknown): string => (value === null ? "" : String(value));
