import { execFile } from "node:child_process";
import { accessSync, constants, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { isOlder, refusesWhenFull, type Version } from "../jetstream/server-version.ts";
import { reasonOf } from "../service/log.ts";
import { unpackDebian } from "./debian-packages.ts";
import { downloadNatsRelease } from "./nats-release.ts";

const run = promisify(execFile);

/** A server program that is ready to start. */
export interface Binary {
  readonly path: string;
  /** Variables that it needs beside our own environment, such as the path of its libraries. */
  readonly env: Readonly<Record<string, string>>;
  /** Its origin, for messages to people. */
  readonly source: string;
}

/** Where to look for binaries; by default on this machine. */
interface Places {
  /** Commands to try first, in this order: a bare name is looked up on PATH. */
  readonly commands?: readonly string[];
  /** The folder that caches downloads. */
  readonly cache?: string;
  /** The URL of nats-server's releases. */
  readonly releases?: string;
  /** The URL of Debian's packages. */
  readonly debian?: string;
  /**
   * Prefers a newer nats-server to an installed one from before 2.10.5, if one downloads within seconds: the pinned
   * release, else the package of Debian's stable release. Before 2.10.5 a full queue may drop its oldest message for a
   * large new one, so every event travels alone there, which halves the throughput.
   */
  readonly preferNewer?: boolean;
  /** Receives a sentence before something is downloaded that an installed server could replace. */
  readonly say?: (sentence: string) => void;
}

/** One way to get a binary. Resolves to undefined, or rejects, if this way has none. */
type Rung = () => Promise<Binary | undefined>;

const found = new Map<string, Promise<Binary>>();

/**
 * Finds nats-server 2.9 or newer: the installed one, else a cached download (the pinned official release, or Debian's
 * package, unpacked without installing it). Throws one sentence that says what to install if no way works.
 */
export function findNatsServer(places: Places = {}): Promise<Binary> {
  const cache = places.cache ?? cacheFolder();
  const commands = places.commands ?? ["nats-server", "/usr/sbin/nats-server", "/usr/local/sbin/nats-server"];
  const { preferNewer = false, releases, debian, say = () => undefined } = places;
  const newer: readonly Rung[] = [
    ...commands.map((command) => () => installed(command, refusesWhenFull)),
    () => {
      say("looks for a nats-server 2.10.5 or newer, which takes some seconds the first time");
      return downloadNatsRelease(cache, releases, preferenceMs).then((path) =>
        fetched(path, "the official release"),
      );
    },
    () => newerDebian(cache, debian),
  ];
  return once(`nats-server ${cache} ${commands} ${preferNewer}`, () =>
    climb(
      [
        ...(preferNewer ? newer : []),
        ...commands.map((command) => () => installed(command)),
        () => downloadNatsRelease(cache, releases).then((path) => fetched(path, "the official release")),
        () => unpackDebian(cache, natsPackage),
      ],
      "nats-server 2.9 or newer is missing: put it on the PATH (https://github.com/nats-io/nats-server/releases, " +
        "`apt-get install nats-server` or `brew install nats-server`), or set NATS_URL to a running server.",
    ),
  );
}

/**
 * Finds redis-server: the installed one, else on Debian and its derivatives a cached package, unpacked without
 * installing it. Throws one sentence that says what to install if no way works.
 */
export function findRedisServer(places: Places = {}): Promise<Binary> {
  const cache = places.cache ?? cacheFolder();
  const commands = places.commands ?? [
    "redis-server",
    "/usr/bin/redis-server",
    "/usr/local/bin/redis-server",
  ];
  return once(`redis-server ${cache} ${commands}`, () =>
    climb(
      [
        ...commands.map((command) => () => installed(command)),
        // Debian keeps the program itself in redis-tools and a link to it in redis-server.
        () =>
          unpackDebian(cache, {
            name: "redis-server",
            further: ["redis-tools"],
            program: "usr/bin/redis-server",
          }),
      ],
      "redis-server is missing: put it on the PATH (`apt-get install redis-server` or `brew install redis`).",
    ),
  );
}

/** The installed redis-server, or undefined; downloads nothing. */
export function installedRedisServer(): Promise<Binary | undefined> {
  return installed("redis-server");
}

/** As in `nats-server v2.12.15`. */
export async function versionOf({ path, env }: Binary): Promise<string> {
  const { stdout } = await run(path, ["--version"], { env: { ...process.env, ...env } });
  return stdout.trim().replace(": ", " ");
}

async function climb(rungs: readonly Rung[], nothingWorked: string): Promise<Binary> {
  const problems: string[] = [];
  for (const rung of rungs) {
    try {
      const binary = await rung();
      if (binary !== undefined) return binary;
    } catch (error) {
      problems.push(reasonOf(error));
    }
  }
  throw new Error(problems.length === 0 ? nothingWorked : `${nothingWorked} (${problems.join("; ")})`);
}

/** How long a download may take when an older server is installed, in ms. */
const preferenceMs = 5_000;

const natsPackage = { name: "nats-server", program: "usr/sbin/nats-server" };

/** The package of Debian's stable release, if it runs on this machine. */
async function newerDebian(cache: string, mirror: string | undefined): Promise<Binary | undefined> {
  const binary = await unpackDebian(cache, { ...natsPackage, release: "stable", mirror });
  const isNewer = binary !== undefined && (await installed(binary.path, refusesWhenFull)) !== undefined;
  return isNewer ? { ...binary, source: "Debian's stable release" } : undefined;
}

/** Older servers lack what the streams rely on, such as discarding new messages per consumer limits. */
const oldestNats: Version = [2, 9, 0];

/** @param least of nats-server */
async function installed(command: string, least = oldestNats): Promise<Binary | undefined> {
  const { stdout } = await run(command, ["--version"]).catch(() => ({ stdout: "" }));
  if (stdout.startsWith("nats-server") && isOlder(stdout, least)) return undefined;
  return stdout === "" ? undefined : { path: command, env: {}, source: "installed" };
}

function fetched(path: string, source: string): Binary {
  return { path, env: {}, source };
}

/** The folder that caches downloads: of this user, else of this checkout. */
export function cacheFolder(): string {
  // The home folder first: `npm ci` empties node_modules.
  for (const folder of [
    join(homedir(), ".cache"),
    resolve(import.meta.dirname, "../../node_modules/.cache"),
  ]) {
    try {
      mkdirSync(join(folder, "croupier"), { recursive: true });
      accessSync(join(folder, "croupier"), constants.W_OK);
      return join(folder, "croupier");
    } catch {
      // The home is read-only or does not exist: try the next folder.
    }
  }
  throw new Error("neither ~/.cache nor node_modules/.cache can be written to");
}

function once(key: string, find: () => Promise<Binary>): Promise<Binary> {
  const known = found.get(key) ?? find();
  found.set(key, known);
  known.catch(() => found.delete(key));
  return known;
}
