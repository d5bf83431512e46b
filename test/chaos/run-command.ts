import { execFile } from "node:child_process";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

const commands = resolve(import.meta.dirname, "../../cmd");

/** Runs `cmd/<name>/main.ts` to its end and returns its stdout. @throws Error if it fails */
export async function runCommand(
  name: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const options = { env: { ...process.env, LOG_LEVEL: "warn", ...env } };
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [join(commands, name, "main.ts"), ...args],
    options,
  );
  return stdout;
}
