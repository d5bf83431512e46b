import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { inject } from "vitest";
import { cacheFolder } from "../../internal/local/binaries.ts";
import { downloadNatsRelease } from "../../internal/local/nats-release.ts";
import { type NatsRole, type NatsUsers, natsConfig, natsUsers } from "../../internal/local/nats-users.ts";
import { natsForTest } from "./infrastructure.ts";
import type { TestServer } from "./restartable.ts";
import { tempFolder } from "./temp-folder.ts";

export interface LockedBroker {
  readonly server: TestServer;
  /** The server's URL with this user's credentials. */
  readonly as: (role: NatsRole) => string;
  /** The same for the library, which reads none from a URL. */
  readonly credentials: NatsUsers["credentials"];
  /** What the server has logged so far. */
  readonly log: () => string;
  /** The lines of it about somebody doing what they may not. */
  readonly violations: () => readonly string[];
}

/**
 * A server of the test file's own with the repository's nats.conf, or another that includes it.
 * @param anonymous the user of anonymous connections; undefined = they are refused
 * @param options.variables instead of those that are made up for the users
 */
export async function lockedNatsForTest(
  anonymous: NatsRole | undefined,
  options: {
    readonly binary?: string;
    readonly config?: string;
    readonly variables?: Readonly<Record<string, string>>;
    readonly tls?: { readonly ca: string };
    /** Where it keeps its data. */
    readonly dir?: string;
  } = {},
): Promise<LockedBroker> {
  const { variables, credentials, url } = natsUsers(anonymous);
  const { tls, dir = tempFolder("nats"), ...others } = options;
  const server = await natsForTest({
    config: natsConfig,
    ...others,
    variables: { ...variables, ...options.variables },
    dir,
    auth: { ...credentials("operator"), ...(tls === undefined ? {} : { tls }) },
  });
  const log = () => readFileSync(join(dir, "nats-server.log"), "utf8");
  return {
    server,
    as: (role) => url(role, server.url),
    credentials,
    log,
    violations: () =>
      log()
        .split("\n")
        .filter((line) => line.includes("Violation")),
  };
}

export interface NatsVersion {
  readonly version: string;
  readonly binary: string;
}

/**
 * The versions of nats-server to be had here, each once: the one that all tests use, the pinned official release where
 * it can be downloaded, and those that NATS_SERVERS names (paths, comma-separated). At least one, the oldest first.
 */
export async function natsVersions(): Promise<readonly NatsVersion[]> {
  const release = await downloadNatsRelease(cacheFolder()).catch(() => undefined);
  const more = (process.env.NATS_SERVERS ?? "").split(",").filter((path) => path !== "");
  const binaries: readonly string[] = [
    inject("natsServer"),
    ...(release === undefined ? [] : [release]),
    ...more,
  ];
  const found = new Map<string, NatsVersion>();
  for (const binary of binaries) {
    const { stdout } = await promisify(execFile)(binary, ["--version"]);
    const version = /v(\d+\.\d+\.\d+)/.exec(stdout)?.[1] ?? stdout.trim();
    if (!found.has(version)) found.set(version, { version, binary });
  }
  return [...found.values()].sort((a, b) => a.version.localeCompare(b.version, "en", { numeric: true }));
}
