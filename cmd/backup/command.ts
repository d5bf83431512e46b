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
      "Writes all that Postgres holds, as it is at one moment, into a file that croupier restore reads. Services may go on.",
      ["DATABASE_URL"],
    )
    .argument("<file>", "- for stdout; one of that name is replaced once the new one is whole");
  program.action((file) => reading.ask({ file }));
  return program;
};
