import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Given } from "./infrastructure.ts";

/**
 * The key with which this `up` encrypts destinations' secrets. It is made once per data folder, which also holds what
 * it has encrypted. `--fresh` keeps it, because a database outside the folder may need it.
 * @param dir the data folder
 */
function deliveryKey(dir: string): string {
  const file = join(dir, "delivery-key");
  // A full disk leaves an empty file.
  const known = existsSync(file) ? readFileSync(file, "utf8").trim() : "";
  if (known !== "") return known;
  const key = randomBytes(32).toString("base64");
  writeFileSync(file, `${key}\n`, { mode: 0o600 });
  return key;
}

/** Defaults for services that call destinations: receivers may run on this machine. */
export function deliveryEnvironment(given: Given, dir: string): Readonly<Record<string, string>> {
  return {
    ...(given.DELIVERY_KEY === undefined ? { DELIVERY_KEY: deliveryKey(dir) } : {}),
    ...(given.DELIVERY_ALLOW_PRIVATE === undefined ? { DELIVERY_ALLOW_PRIVATE: "127.0.0.0/8,::1/128" } : {}),
  };
}
