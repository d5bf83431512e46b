import { createReadStream } from "node:fs";
import { BackupReader } from "../../internal/backup/backup-reader.ts";
import { backupFailure } from "../../internal/backup/failure.ts";
import { lookAtTarget, readHeader, restoreBackup } from "../../internal/backup/restore-backup.ts";
import type { Database } from "../../internal/postgres/connect.ts";
import { CommandError } from "../../internal/service/command-error.ts";
import { counted } from "../../internal/service/counted.ts";
import { Progress } from "../../internal/service/progress.ts";
import type { CommandTools } from "../../internal/service/run-command.ts";
import type { RestoreCommand } from "./command.ts";

interface RestoreRun extends Pick<CommandTools, "say" | "remark" | "ask" | "signal"> {
  readonly db: Database;
}

/** Restores the backup. @throws CommandError, Unavailable */
export async function runCommand(command: RestoreCommand, run: RestoreRun): Promise<void> {
  using progress = new Progress("restore");
  const source = command.file === "-" ? process.stdin : createReadStream(command.file);
  await using reader = new BackupReader(source, run.signal);
  try {
    const head = await readHeader(reader);
    const used = await lookAtTarget(run.db, head);
    if (used.length > 0) await mayReplace(used, command, run);
    const rows = await restoreBackup(run.db, reader, {
      replace: command.replace,
      signal: run.signal,
      progress: ({ table, bytes }) => progress.show(() => `${table}, ${(bytes / 1e6).toFixed(1)} MB`),
    });
    progress.clear();
    const all = Object.values(rows).reduce((sum, count) => sum + count, 0);
    run.say(
      `${counted(all, "row")} restored, ${rows.events?.toLocaleString("en-US") ?? 0} of them events, as of ${head.at}.\n`,
    );
    run.remark(
      "Where the archiver had stored later events, it does not store them again by itself: docs/operations.md says what to do.\n",
    );
  } catch (err) {
    progress.clear();
    run.signal.throwIfAborted();
    throw backupFailure(err, "read");
  }
}

/** @throws CommandError when the database's contents must not be deleted */
async function mayReplace(used: readonly string[], { replace, yes }: RestoreCommand, { ask }: RestoreRun) {
  const what = used.join(", ");
  if (!replace)
    throw new CommandError(
      `The database is already used (${what}): restore into a new one, or delete everything in it with --replace.`,
    );
  if (yes) return;
  if (!(await ask(`Delete everything in the database (${what}) and load the backup?`)))
    throw new CommandError("Nothing was changed.");
}
