import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { natsConfig } from "../../internal/local/nats-users.ts";
import { tempFolder } from "./temp-folder.ts";

/** Where nats/tls.conf looks for the server's certificate and key. */
const tlsFolder = "/etc/nats/tls";

/**
 * A copy of nats.conf with commented-out includes enabled, as an operator would do.
 * @param includes such as "nats/tls.conf"; that one then takes the tests' certificate
 * @returns its path
 */
export function natsConfWith(...includes: readonly string[]): string {
  const folder = tempFolder("nats-conf");
  cpSync(join(dirname(natsConfig), "nats"), join(folder, "nats"), { recursive: true });
  let text = readFileSync(natsConfig, "utf8");
  for (const include of includes) {
    if (!text.includes(`# include ${include}\n`)) throw new Error(`nats.conf does not offer ${include}`);
    text = text.replace(`# include ${include}\n`, `include ${include}\n`);
  }
  const file = join(folder, "nats.conf");
  writeFileSync(file, text);
  const tls = join(folder, "nats/tls.conf");
  writeFileSync(tls, readFileSync(tls, "utf8").replaceAll(tlsFolder, join(import.meta.dirname, "tls")));
  return file;
}
