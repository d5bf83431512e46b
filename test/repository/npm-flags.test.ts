import { spawnSync } from "node:child_process";
import { join } from "node:path";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { expect, test } from "vitest";
import { clientsCommand } from "../../cmd/clients/command.ts";
import { deadLettersCommand } from "../../cmd/dead-letters/command.ts";
import { eventTypesCommand } from "../../cmd/event-types/command.ts";
import { proveCommand } from "../../cmd/prove/command.ts";
import { type Build, Reading } from "../../internal/service/command-line.ts";

const root = join(import.meta.dirname, "../..");
const builds: readonly Build<never>[] = [
  clientsCommand(),
  deadLettersCommand,
  eventTypesCommand,
  proveCommand,
];

/** The flags of a command and its subcommands that take a value, each with a line that ends in it, as words behind `npm run`. */
function linesOf(command: CommandUnknownOpts, words: readonly string[] = []): Map<string, readonly string[]> {
  const all = [...words, command.name().replace(/^croupier /, "")];
  const own = command.options.filter(({ required }) => required).map(({ long }) => long ?? "");
  return new Map([
    ...command.commands.flatMap((sub) => [...linesOf(sub, all)]),
    ...own.map((flag) => [flag, [...all, `${flag}=1h`]] as const),
  ]);
}

const lines = builds.flatMap((build) => [...linesOf(build(new Reading<never>())).values()]);

// A flag that npm knows too, with another kind of value, would be gone without a trace, and the command would do more than asked.
test.each(lines.map((line) => [line.join(" "), line] as const))(
  "npm run %s is refused: npm keeps the flag, and leaves a trace of it",
  (_, line) => {
    const { status, stderr } = spawnSync("npm", ["run", ...line], { cwd: root, encoding: "utf8" });
    expect(stderr).toContain(`npm took ${line.at(-1)} for itself; type: npm run ${line[0]} -- `);
    expect(status).toBe(78);
  },
);
