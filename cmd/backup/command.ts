import type { Build } from "../../internal/service/command-line.ts";

export interface BackupCommand {
  readonly file: string;
}

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
