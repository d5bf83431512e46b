import assert from "node:assert/strict";
import { documentedCommands } from "../harness/documented-commands.ts";
import type { Project } from "./project.ts";
import { check } from "./report.ts";

/** Runs every `docker` command of the docs as it stands there, in the order of the pages. */
export async function checkDocumented(project: Project): Promise<void> {
  const commands = documentedCommands().filter(({ command }) => /^(\w+=\S+ )*docker /.test(command));
  assert.ok(commands.length > 10, `only ${commands.length} commands were found`);
  for (const { page, command } of commands)
    await check(`${page}: ${command}`, async () => {
      // One that goes on until it is interrupted has to say something first.
      if (command.includes("--follow")) assert.match(await project.firstWords(command), /\S/);
      else await project.shell(command);
    });
  // The last pages left a cluster, which does not know the single node's volume.
  await project.shell("docker compose down --remove-orphans --volumes");
}
