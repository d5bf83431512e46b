import { spawn } from "node:child_process";
import { childEnvironment } from "./child-environment.ts";
import { type LineSink, relayLines } from "./outlet.ts";

/** Runs a script to its end and copies its lines to `messages`. @returns its exit code; null if a signal ended it */
export async function runScript(
  [script, ...args]: readonly [string, ...string[]],
  env: Readonly<Record<string, string>>,
  messages: LineSink,
  signal: AbortSignal,
): Promise<number | null> {
  const child = spawn(process.execPath, [script, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: childEnvironment(env),
    signal,
  });
  const code = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  const [result] = await Promise.all([
    code,
    relayLines(child.stdout, messages),
    relayLines(child.stderr, messages),
  ]);
  return result;
}
