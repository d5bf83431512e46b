import type { Build } from "../../internal/service/command-line.ts";

/** What a command line asks for. */
export interface RestoreCommand {
  readonly file: string;
  readonly replace: boolean;
  readonly yes: boolean;
}

/** The command `restore`. */
export const restoreCommand: Build<RestoreCommand> = (reading) => {
  const program = reading
    .program(
      "restore",
      "Puts what croupier backup wrote into a migrated database that nobody uses yet: all of it, or on any failure nothing.",
      ["DATABASE_URL"],
    )
    .argument("<file>", "- for stdin")
    .option("--replace", "also into one that is used: all that it holds is deleted. Asks first")
    .option("-y, --yes", "do not ask");
  program.action((file, { replace = false, yes = false }) => {
    if (file === "-" && replace && !yes)
      reading.problems.push(
        "Stdin is the backup and cannot answer: say --yes with --replace, or name a file.",
      );
    reading.ask({ file, replace, yes });
  });
  return program;
};
