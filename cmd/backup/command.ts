import type { Build } from "../../internal/service/command-line.ts";

/** What a command line asks for. */
export interface BackupCommand {
  readonly file: string;
}

/** The command `backup`. */
export const backupCommand: Build<BackupCommand> = (reading) => {
  const program = reading
    .program(
      "backup",
      "Saves everything in Postgres, as of one moment, to a file for croupier restore. Services may keep running.",
    )
    .argument("<file>", "- for stdout; an existing file is replaced once the new one is complete");
  program.action((file) => reading.ask({ file }));
  return program;
};
