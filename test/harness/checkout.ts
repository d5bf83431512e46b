import { cpSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { tempFolder } from "./temp-folder.ts";

const root = join(import.meta.dirname, "../..");
const notOfTheProject = new Set([".git", ".data", ".cache", "node_modules"]);

/** A copy of this project with what is installed for it, to be changed and written into; removed at the end. */
export function copyOfProject(): string {
  const copy = tempFolder("checkout");
  for (const part of readdirSync(root).filter((name) => !notOfTheProject.has(name)))
    cpSync(join(root, part), join(copy, part), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  return copy;
}
