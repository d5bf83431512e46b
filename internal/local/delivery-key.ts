import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Given } from "./infrastructure.ts";

/**
 * The key with which this `up` encrypts the secrets of destinations: made once for each folder of data, since what it has
 * encrypted lies there too. `--fresh` leaves it: it may be needed for a database of somebody else's.
 * @param dir the folder of data
 */
function deliveryKey(dir: string): string {
  const file = join(dir, "delivery-key");
  try {
    return readFileSync(file, "utf8").trim();
  } catch (err) {
    if (!(err instanceof Error && "code" in err && err.code === "ENOENT")) throw err;
    const key = randomBytes(32).toString("base64");
    writeFileSync(file, `${key}\n`, { mode: 0o600 });
    return key;
  }
}

/** What services that know destinations are told, where the environment does not say it: theirs may lie on this machine. */
export function deliveryEnvironment(given: Given, dir: string): Readonly<Record<string, string>> {
  return {
    ...(given.DELIVERY_KEY === undefined ? { DELIVERY_KEY: deliveryKey(dir) } : {}),
    ...(given.DELIVERY_ALLOW_PRIVATE === undefined ? { DELIVERY_ALLOW_PRIVATE: "127.0.0.0/8,::1/128" } : {}),
  };
}
