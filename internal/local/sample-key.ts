import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** What `up` sends with `curl`: the source of the key it makes. */
const source = "curl";

/**
 * Has a fresh API key made for client `casino`. The command does it, and not this process: only services know the
 * database.
 * @param script of the command `clients`
 */
export async function createSampleKey(
  script: string,
  env: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<string> {
  const args = [script, "keys", "create", "casino", source];
  const options = { env: { ...process.env, ...env }, signal };
  const { stdout } = await promisify(execFile)(process.execPath, args, options);
  return stdout.trim();
}

/** A command that posts one event with that key; its id is of this moment, so that it is a new one each time. */
export function curlLine(port: number, key: string, now: Date = new Date()): string {
  const event = {
    id: now.getTime(),
    player_id: 11,
    game_id: 101,
    type: "bet",
    amount: 500,
    currency: "USD",
    created_at: now.toISOString(),
  };
  return (
    `curl http://127.0.0.1:${port}/events -H 'Authorization: Bearer ${key}' ` +
    `-H 'Content-Type: application/json' -d '${JSON.stringify(event)}'`
  );
}
