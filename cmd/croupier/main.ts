#!/usr/bin/env node
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { CommandError } from "../../internal/service/command-error.ts";
import { type CommandEntry, commands } from "../../internal/service/commands.ts";
import { runCommand } from "../../internal/service/run-command.ts";

/** The command that this process runs, with the rest of the command line. */
interface Dispatch {
  readonly entry: CommandEntry;
  readonly args: readonly string[];
}

const root = resolve(import.meta.dirname, "../..");

await runCommand<Dispatch, never>({
  name: "",
  build: (reading) => {
    const program = reading
      .program("", "A real-time event pipeline for casinos on NATS JetStream.")
      .enablePositionalOptions();
    for (const entry of commands)
      program
        .command(entry.name)
        .description(entry.summary)
        // All further words belong to the command, including --help.
        .helpOption(false)
        .passThroughOptions()
        .allowUnknownOption()
        .argument("[words...]")
        .action((args) => reading.ask({ entry, args }));
    program
      .command("help")
      .description("the same as --help; help <command> for one of them")
      .argument("[command]")
      .action((name) => {
        const entry = commands.find((one) => one.name === name);
        if (entry === undefined) program.help();
        else reading.ask({ entry, args: ["--help"] });
      });
    return program;
  },
  variables: [],
  async run({ entry: { name, file }, args }) {
    const path = resolve(root, file);
    // The command behaves as if started directly: it reads its command line and ends the process itself.
    process.argv.splice(1, Number.POSITIVE_INFINITY, path, ...args);
    process.removeAllListeners("SIGINT").removeAllListeners("SIGTERM");
    await import(pathToFileURL(path).href).catch((err: unknown) => {
      if (
        err instanceof Error &&
        "code" in err &&
        err.code === "ERR_MODULE_NOT_FOUND" &&
        !file.startsWith("cmd/")
      )
        throw new CommandError(`${name} is not part of this installation: it needs the whole repository.`);
      throw err;
    });
  },
});
