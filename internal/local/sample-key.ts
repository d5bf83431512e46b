import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { childEnvironment } from "./own-scripts.ts";

/** The source of keys that `up` makes. No other key has it, so `up` recognizes keys of earlier runs by it. */
const source = "up";

/**
 * Creates an API key for a client, valid for a day, and revokes those of earlier runs. It runs the command `clients`,
 * because only services and commands access the database.
 * @param script of the command `clients`
 */
export async function createSampleKey(
  script: string,
  env: Readonly<Record<string, string>>,
  signal: AbortSignal,
  client = "casino",
): Promise<string> {
  const options = { env: childEnvironment(env), signal };
  const clients = async (...args: string[]): Promise<string> =>
    (await promisify(execFile)(process.execPath, [script, ...args], options)).stdout;
  const keys = JSON.parse(await clients("keys", "list", client, "--json")) as readonly ListedKey[]; // our own command
  for (const key of keys)
    if (key.source === source && key.revoked_at === null) await clients("keys", "revoke", key.prefix);
  return (await clients("keys", "create", client, source, "--expiry", "24h")).trim();
}

/** Creates a code that signs a browser in to the dashboard as an operator, once. */
export async function createSignInCode(
  script: string,
  env: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<string> {
  const options = { env: childEnvironment(env), signal };
  return (await promisify(execFile)(process.execPath, [script, "sign-in"], options)).stdout.trim();
}

interface ListedKey {
  readonly prefix: string;
  readonly source: string;
  readonly revoked_at: string | null;
}

/** A command that posts one event with that key; the id is the current time, so that each event is new. */
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
