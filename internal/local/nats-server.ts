import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { jetstreamManager } from "@nats-io/jetstream";
import { type ConnectionOptions, connect } from "nats";
import { type Binary, findNatsServer } from "./binaries.ts";
import { launch, type RunningServer, type ServerOptions } from "./server.ts";

export interface NatsOptions extends ServerOptions {
  /** Default: what `findNatsServer()` finds. */
  readonly binary?: string | Binary | undefined;
  /** A nats.conf; address and port given here override it. Its monitoring gets any free port. */
  readonly config?: string | undefined;
  /** Variables that the config uses. NATS_STORE_DIR, the data folder, is always among them. */
  readonly variables?: Readonly<Record<string, string>> | undefined;
  /** Further command line arguments, such as those of a cluster. */
  readonly args?: readonly string[] | undefined;
  /** Credentials for the readiness check, if the config demands any. */
  readonly auth?: Pick<ConnectionOptions, "user" | "pass" | "tls"> | undefined;
  /** "connect" for a member of a cluster, whose JetStream answers only once its peers run. */
  readonly readyWhen?: "jetstream" | "connect" | undefined;
}

/**
 * Starts a nats-server (2.9 or newer) with JetStream on 127.0.0.1 and resolves once JetStream answers. Throws if there
 * is no binary or the server does not start.
 */
export async function startNats(options: NatsOptions): Promise<RunningServer> {
  const given = options.binary ?? (await findNatsServer());
  const binary: Binary = typeof given === "string" ? { path: given, env: {}, source: "given" } : given;
  mkdirSync(options.dir, { recursive: true });
  return launch(options, (port) => ({
    name: "nats-server",
    binary: { ...binary, env: { ...binary.env, ...configVariables(options) } },
    args: [
      ...["-a", "127.0.0.1", "-p", String(port), "-js"],
      // The server refuses a store_dir on the command line beside one in the file.
      ...(options.config === undefined ? ["-sd", options.dir] : ["-c", options.config, "-m", "-1"]),
      ...(options.args ?? []),
    ],
    url: `nats://127.0.0.1:${port}`,
    logFile: join(options.dir, "nats-server.log"),
    stopSignal: "SIGTERM",
    ready: () => answers(port, options),
  }));
}

/** Quotes values for the server, which would otherwise take some for numbers and others for several values. */
function configVariables({ config, variables, dir }: NatsOptions): Record<string, string> {
  if (config === undefined) return {};
  const entries = Object.entries({ NATS_STORE_DIR: dir, ...variables });
  return Object.fromEntries(entries.map(([name, value]) => [name, quoted(value)]));
}

/** Escapes characters of a folder's name that have a meaning in a string of the config. */
function quoted(value: string): string {
  const escapes: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };
  return `"${value.replaceAll(/["\\\n\r\t]/g, (character) => escapes[character] ?? `\\${character}`)}"`;
}

async function answers(port: number, options: NatsOptions): Promise<void> {
  const connection = await connect({
    servers: `127.0.0.1:${port}`,
    reconnect: false,
    timeout: 2_000,
    ignoreClusterUpdates: true,
    ...options.auth,
  });
  try {
    if (options.readyWhen !== "connect")
      await (await jetstreamManager(connection, { timeout: 2_000 })).getAccountInfo();
  } finally {
    await connection.close();
  }
}
