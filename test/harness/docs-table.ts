import { readFileSync } from "node:fs";
import { join } from "node:path";

/** A file of the repository. */
export function read(file: string): string {
  return readFileSync(join(import.meta.dirname, "../..", file), "utf8");
}

/** The rows of the table below a heading, as cells without backticks. */
export function table(file: string, heading: string): readonly (readonly string[])[] {
  return readRows(file, heading).map((cells) => cells.map((cell) => cell.replaceAll("`", "")));
}

/** The same, as they are written. */
export function readRows(file: string, heading: string): readonly (readonly string[])[] {
  const [, section = ""] = read(file).split(`\n## ${heading}\n`);
  const [before = ""] = section.split("\n## ");
  const rows = before.split("\n").filter((line) => line.startsWith("|"));
  if (rows.length < 3) throw new Error(`${file} has no table under "${heading}"`);
  return rows.slice(2).map((row) =>
    row
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}
