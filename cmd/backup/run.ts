import { randomBytes } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import { backupFailure } from "../../internal/backup/failure.ts";
import { type BackupProgress, writeBackup } from "../../internal/backup/write-backup.ts";
import type { Database } from "../../internal/postgres/connect.ts";
import { CommandError } from "../../internal/service/command-error.ts";
import { counted } from "../../internal/service/counted.ts";
import { exitCode } from "../../internal/service/exit-code.ts";
import { Progress } from "../../internal/service/progress.ts";
import type { CommandTools } from "../../internal/service/run-command.ts";
import manifest from "../../package.json" with { type: "json" };
import type { BackupCommand } from "./command.ts";

interface BackupRun extends Pick<CommandTools, "say" | "remark" | "signal"> {
  readonly db: Database;
}

/** It contains personal data and hashes of keys. */
const forItsOwner = 0o600;

/** Makes the backup. @throws CommandError, Unavailable */
export async function runCommand(
  { file }: BackupCommand,
  { db, say, remark, signal }: BackupRun,
): Promise<void> {
  using progress = new Progress("backup");
  const how = {
    version: manifest.version,
    signal,
    progress: ({ table, bytes }: BackupProgress) =>
      progress.show(() => `${table}, ${(bytes / 1e6).toFixed(1)} MB before compression`),
  };
  try {
    const rows = file === "-" ? await toStdout(db, how) : await toFile(file, db, how);
    progress.clear();
    const all = Object.values(rows).reduce((sum, count) => sum + count, 0);
    const tell = file === "-" ? remark : say;
    tell(`${counted(all, "row")} backed up, ${rows.events?.toLocaleString("en-US") ?? 0} of them events.\n`);
  } catch (err) {
    progress.clear();
    signal.throwIfAborted();
    throw backupFailure(err, "written");
  }
}

type How = Parameters<typeof writeBackup>[2];

async function toStdout(db: Database, how: How) {
  if (process.stdout.isTTY)
    throw new CommandError("A backup is binary and not for a terminal: name a file, or redirect stdout.");
  // A reader that goes away, such as `head`, has not read everything: a failure, but one that needs no words.
  process.stdout.removeAllListeners("error");
  process.stdout.on("error", (err: NodeJS.ErrnoException) => {
    if (err.code === "EPIPE") process.exit(exitCode.failed);
  });
  return writeBackup(db, process.stdout, how);
}

/** Under a name of its own until it is complete and on the disk: another backup to this file may still be under way. */
async function toFile(file: string, db: Database, how: How) {
  const partial = `${file}.${randomBytes(4).toString("hex")}.part`;
  const target = await open(partial, "w", forItsOwner);
  try {
    const rows = await writeBackup(db, target.createWriteStream({ flush: true }), how);
    await rename(partial, file);
    return rows;
  } catch (err) {
    await rm(partial, { force: true });
    throw err;
  } finally {
    await target.close();
  }
}
