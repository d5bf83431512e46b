import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { natsAccount } from "../../../internal/clients/nats-account.ts";
import { natsConfig } from "../../../internal/local/nats-users.ts";
import { mallory } from "./attacks.ts";

/** The hostile producer's NATS user. */
export const malloryUser = `producer-${mallory}`;

/**
 * Writes nats.conf with the account that `croupier clients nats mallory` prints, and with a disk quota.
 * @returns the file, and the variable with her password
 */
export function brokerConfig(
  folder: string,
  maxFileStore: number,
): { readonly config: string; readonly passwordVariable: string } {
  const hers = natsAccount(mallory);
  const neighbour = natsAccount("casino");
  cpSync(join(natsConfig, "../nats"), join(folder, "nats"), { recursive: true });
  const config = join(folder, "nats.conf");
  const replaced = [
    [neighbour.exported, neighbour.exported + hers.exported],
    [neighbour.account, neighbour.account + hers.account],
    ["max_file_store: 16GB", `max_file_store: ${maxFileStore}`],
  ] as const;
  const text = replaced.reduce(
    (conf, [from, to]) => {
      if (!conf.includes(from)) throw new Error(`nats.conf has no ${from}`);
      return conf.replace(from, () => to);
    },
    readFileSync(natsConfig, "utf8"),
  );
  writeFileSync(config, text);
  return { config, passwordVariable: hers.passwordVariable };
}
