import { execFile } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { expect, test } from "vitest";
import { copyOfProject } from "../harness/checkout.ts";

const root = join(import.meta.dirname, "../..");
/** What is formatted; the lockfile is npm's. */
const formatted = /(?<!package-lock)\.(ts|js|json|css|html)$/;

test("lint and format look at every folder that has code, and at no file of the user's own", async () => {
  const copy = copyOfProject();
  const folders = readdirSync(copy, { withFileTypes: true }).filter(
    (entry) =>
      entry.isDirectory() &&
      readdirSync(join(copy, entry.name), { recursive: true, encoding: "utf8" }).some((file) =>
        formatted.test(file),
      ),
  );
  const wrong = folders.map(({ name }) => join(name, "unformatted.ts"));
  expect(wrong).toContain("internal/unformatted.ts");
  for (const file of [...wrong, "level-up.json", "try.ts"]) writeFileSync(join(copy, file), "[1,\n2]");
  const said = await new Promise<string>((resolve) => {
    const args = ["check", "--reporter=github", "--max-diagnostics=none", "."];
    execFile(join(root, "node_modules/.bin/biome"), args, { cwd: copy }, (_, stdout) => resolve(stdout));
  });
  const named = said.matchAll(/file=([^,]+)/g).map(([, file = ""]) => relative(copy, file));
  expect([...new Set(named)].sort()).toEqual(wrong.sort());
});
