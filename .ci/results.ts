// What vitest's JSON reports say. `failed <report>` prints the files that failed; `count <reports…>` the sum, where a file counts as in
// the last report that has it, and exits with 1 when a test failed, or none ran.
import { readFileSync } from "node:fs";
import { relative } from "node:path";

interface TestFile {
  readonly name: string;
  readonly status: string;
  readonly assertionResults: readonly { readonly status: string }[];
}

/** None where the run ended before it could write its report. */
function filesOf(report: string): readonly TestFile[] {
  try {
    return JSON.parse(readFileSync(report, "utf8")).testResults;
  } catch {
    return [];
  }
}

const count = (file: TestFile, status: string): number =>
  file.assertionResults.filter((test) => test.status === status).length;

/** A file that could not even be loaded has no tests that failed, and counts as one. */
const failures = (file: TestFile): number =>
  Math.max(count(file, "failed"), file.status === "failed" ? 1 : 0);

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const path = (file: TestFile): string => relative(process.cwd(), file.name);

const [what, ...reports] = process.argv.slice(2);
if (what === "failed") {
  for (const file of reports.flatMap(filesOf)) if (failures(file) > 0) say(path(file));
} else {
  const last = new Map<string, TestFile>();
  for (const file of reports.flatMap(filesOf)) {
    if (last.has(path(file)) && failures(file) === 0)
      say(`${path(file)} failed among the others, and passed by itself.`);
    last.set(path(file), file);
  }
  const files = [...last.values()];
  const failed = files.reduce((sum, file) => sum + failures(file), files.length === 0 ? 1 : 0);
  const passed = files.reduce((sum, file) => sum + count(file, "passed"), 0);
  say(`${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}
