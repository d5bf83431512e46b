import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..");

test("Taskfile.yml has a task for each npm script, which runs just that", () => {
  const { scripts }: { scripts: Record<string, string> } = JSON.parse(
    readFileSync(join(root, "package.json"), "utf8"),
  );
  const taskfile = readFileSync(join(root, "Taskfile.yml"), "utf8");
  const tasks = [...taskfile.matchAll(/^ {2}([\w-]+):\n(?: {4}.*\n)*? {4}cmd: npm run ([\w-]+)/gm)];
  for (const [, name, script] of tasks) expect(script).toBe(name);
  expect(tasks.map(([, name]) => name).sort()).toEqual(Object.keys(scripts).sort());
});
