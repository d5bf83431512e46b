import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { chown, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import pg from "pg";
import { type PostgresBinaries, postgresBinaries } from "./postgres-binaries.ts";
import { placeForPostgres } from "./postgres-place.ts";
import { identityOf } from "./process-identity.ts";
import { launch, type RunningServer, ServerFailed, type ServerOptions } from "./server.ts";
import { type SystemUser, unprivilegedUser } from "./system-user.ts";

interface PostgresOptions extends ServerOptions {
  /** "fast" never waits for the disk: a commit survives a crash of Postgres, but not one of the machine. */
  readonly durability: "durable" | "fast";
  /** A folder of ours around `dir` that may be opened for the user that Postgres runs as. Default: `dir` itself. */
  readonly ours?: string | undefined;
}

interface PostgresServer extends RunningServer {
  /** Where the data really is: not below `dir` if the user that Postgres runs as cannot enter that. */
  readonly place: string;
}

/**
 * Starts the Postgres from npm on 127.0.0.1, with a role and a database `casino` (password `casino`), and resolves once
 * it answers queries. If we are root, it runs as `postgres` or `nobody`. Throws if there are no binaries or it does not
 * start.
 */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const user = unprivilegedUser();
  const binaries = await postgresBinaries(user);
  const place = await placeForPostgres(options.dir, user, options.ours);
  const data = join(place, "data");
  const password = await superuserPassword(place);
  await removeStaleLock(data);
  if (!existsSync(data)) await initialise(binaries, place, password, user);

  const patience = AbortSignal.timeout(predecessorsMs);
  for (;;) {
    try {
      const server = await launch(options, (port) => ({
        name: "postgres",
        binary: { path: binaries.postgres, env: {}, source: "npm" },
        args: ["-D", data, "-p", String(port), ...settings(options.durability)],
        url: `postgres://casino:casino@127.0.0.1:${port}/casino`,
        logFile: join(options.dir, "postgres.log"),
        // "Fast" shutdown ends open connections and keeps what was committed.
        stopSignal: "SIGINT",
        ready: () => ensureCasino(`postgres://postgres:${password}@127.0.0.1:${port}`),
        user,
      }));
      return { ...server, place };
    } catch (error) {
      if (!predecessorStillEnds(error) || patience.aborted) throw error;
      await sleep(200, undefined, { signal: options.signal });
    }
  }
}

/** The processes of a killed Postgres end by themselves, on a busy machine some seconds later. */
const predecessorsMs = 10_000;

function predecessorStillEnds(error: unknown): boolean {
  return error instanceof ServerFailed && error.output.includes("pre-existing shared memory block");
}

function settings(durability: PostgresOptions["durability"]): string[] {
  const chosen = [
    "listen_addresses=127.0.0.1",
    // Every other Postgres of this machine shares the default folder for sockets, /tmp.
    "unix_socket_directories=",
    "max_connections=200",
    "timezone=UTC",
    "log_timezone=UTC",
    ...(durability === "fast" ? ["fsync=off", "full_page_writes=off"] : []),
  ];
  return chosen.flatMap((setting) => ["-c", setting]);
}

async function initialise(
  binaries: PostgresBinaries,
  place: string,
  password: string,
  user: SystemUser | undefined,
): Promise<void> {
  // Initialized under another name, so that an interrupted initdb is never taken for a complete one.
  const fresh = join(place, "data.new");
  const secret = join(place, "initdb-password");
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { mode: 0o700 });
  await writeFile(secret, password, { mode: 0o600 });
  if (user !== undefined) {
    await chown(fresh, user.uid, user.gid);
    await chown(secret, user.uid, user.gid);
  }
  await promisify(execFile)(
    binaries.initdb,
    [
      ...["-D", fresh, "--username=postgres", "--auth=scram-sha-256", `--pwfile=${secret}`],
      ...["--encoding=UTF8", "--no-locale", "--no-sync", "--no-instructions"],
    ],
    { cwd: "/", ...user },
  );
  await rm(secret);
  await rename(fresh, join(place, "data"));
}

/** A random password beside the data: with a known one, every user of this machine could run programs as our user. */
async function superuserPassword(place: string): Promise<string> {
  const file = join(place, "superuser-password");
  // A full disk leaves an empty file.
  const known = existsSync(file) ? (await readFile(file, "utf8")).trim() : "";
  if (known !== "") return known;
  const password = randomBytes(24).toString("hex");
  await writeFile(file, password, { mode: 0o600 });
  return password;
}

/** Runs at every start, because the first one may have been interrupted. */
async function ensureCasino(admin: string): Promise<void> {
  const client = new pg.Client({ connectionString: `${admin}/postgres`, connectionTimeoutMillis: 2_000 });
  client.on("error", () => undefined);
  try {
    await client.connect();
    const { rowCount: roles } = await client.query("select from pg_roles where rolname = 'casino'");
    if (roles === 0) await client.query("create role casino login createdb password 'casino'");
    // `casino` creates the services' roles. (Since Postgres 16 this gives no power over roles that others have made.)
    await client.query("alter role casino createrole");
    const { rowCount: databases } = await client.query("select from pg_database where datname = 'casino'");
    if (databases === 0) await client.query("create database casino owner casino");
  } finally {
    await client.end().catch(() => undefined);
  }
}

/**
 * Removes the lock file of a killed Postgres that Postgres itself would respect, because the process id in it belongs
 * to a zombie, or to another program after a restart of the machine or container. A postmaster that really uses this
 * folder gets 3 s to end; after that Postgres reports it.
 */
async function removeStaleLock(data: string): Promise<void> {
  const lock = join(data, "postmaster.pid");
  for (let attempt = 0; existsSync(lock) && attempt < 30; attempt++) {
    if (!isPostmasterOf(data, lock)) rmSync(lock, { force: true });
    else await sleep(100);
  }
}

function isPostmasterOf(data: string, lock: string): boolean {
  const pid = Number(readFileSync(lock, "utf8").split("\n")[0]);
  if (!Number.isSafeInteger(pid) || pid <= 0 || identityOf(pid) === undefined) return false;
  if (process.platform !== "linux") return true;
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes(data);
  } catch {
    // The process has just ended.
    return false;
  }
}
