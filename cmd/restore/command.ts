import type { Build } from "../../internal/service/command-line.ts";

export interface RestoreCommand {
  readonly file: string;
  readonly replace: boolean;
  readonly yes: boolean;
}

export const restoreCommand: Build<RestoreCommand> = (reading) => {
  const program = reading
    .program(
      "restore",
      "Loads a backup into a migrated, unused database: all of it, or on any failure nothing.",
    )
    .argument("<file>", "- for stdin")
    .option("--replace", "delete everything in a used database first. Asks before it does")
    .option("-y, --yes", "do not ask");
  program.action((file, { replace = false, yes = false }) => {
    if (file === "-" && replace && !yes)
      reading.problems.push(
        "Stdin is the backup, so nobody can confirm: add --yes to --replace, or name a file.",
      );
    reading.ask({ file, replace, yes });
  });
  return program;
};
