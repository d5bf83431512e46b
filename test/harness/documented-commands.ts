import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");

export interface DocumentedCommand {
  readonly page: string;
  readonly command: string;
}

/**
 * The command lines of README, CONTRIBUTING and docs/, in their order: those of `sh` blocks, and those after a `$` in
 * `console` blocks; without comments.
 */
export function documentedCommands(): readonly DocumentedCommand[] {
  const docs = readdirSync(join(root, "docs")).map((name) => `docs/${name}`);
  return ["README.md", "CONTRIBUTING.md", ...docs].flatMap(commandsOf);
}

function commandsOf(page: string): readonly DocumentedCommand[] {
  const blocks = [...readFileSync(join(root, page), "utf8").matchAll(/^```(sh|console)\n(.*?)^```$/gms)];
  return blocks.flatMap(([, kind, body = ""]) => {
    const lines = body.replaceAll(/\\\n\s*/g, "").split("\n");
    const commands =
      kind === "sh" ? lines : lines.filter((line) => line.startsWith("$ ")).map((line) => line.slice(2));
    return commands
      .map((line) => line.replace(/(^|\s+)# .*$/, "").trim())
      .filter((command) => command !== "")
      .map((command) => ({ page, command }));
  });
}
