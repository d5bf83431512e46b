import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { bannerFile } from "./banner.ts";
import { PidFiles } from "./pid-files.ts";
import { knownElsewhere } from "./postgres-place.ts";
import { identityOf } from "./process-identity.ts";
import { StackError } from "./stack-error.ts";

const marker = "croupier-data";
const ours = ["nats", "postgres", "redis", "processes", "logs", bannerFile];

/** The folder that `up` keeps between runs: its servers' data and its processes. One `up` uses it at a time. */
export interface DataFolder {
  readonly path: string;
  readonly processes: PidFiles;
  /** The folder of one server's data. */
  of(server: "nats" | "postgres" | "redis"): string;
  /** Deletes only what `up` has put into it; call it after leftover processes are gone. Returns what is left. */
  empty(): { readonly elsewhere: string | undefined };
  /** Releases the folder to the next `up`, and deletes it if this `up` created it and left it empty. */
  release(): void;
}

/**
 * Locks the folder for this process, and creates it if it is missing. Recognizes the lock of a killed `up`.
 * @throws StackError if it holds somebody else's files or another running `up` uses it
 */
export async function takeDataFolder(dir: string): Promise<DataFolder> {
  const path = resolve(dir);
  let isNew = false;
  try {
    isNew = mkdirSync(path, { recursive: true }) !== undefined;
    if (!existsSync(join(path, marker))) {
      if (readdirSync(path).length > 0) {
        throw new StackError(
          `${path} holds files that are not Croupier's: choose another folder with --data`,
        );
      }
      writeFileSync(join(path, marker), "The data of `npm run up`. `npm run up -- --fresh` deletes it.\n");
    }
  } catch (error) {
    if (error instanceof StackError) throw error;
    const taken = existsSync(path) && !statSync(path).isDirectory();
    const why = taken
      ? "it is a file, choose a folder"
      : error instanceof Error
        ? error.message
        : String(error);
    throw new StackError(`${path} cannot be used for --data: ${why}`);
  }

  const lock = join(path, "lock");
  await takeLock(lock, path);
  return {
    path,
    processes: new PidFiles(join(path, "processes")),
    of: (server) => join(path, server),
    empty: () => {
      const elsewhere = knownElsewhere(join(path, "postgres"));
      for (const name of ours) rmSync(join(path, name), { recursive: true, force: true });
      return { elsewhere };
    },
    release: () => {
      if (isNew && readdirSync(path).every((name) => name === marker || name === "lock"))
        rmSync(path, { recursive: true, force: true });
      else rmSync(lock, { force: true });
    },
  };
}

async function takeLock(lock: string, path: string): Promise<void> {
  const mine = `${process.pid} ${identityOf(process.pid)}`;
  for (;;) {
    try {
      writeFileSync(lock, mine, { flag: "wx" });
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
      // Another process may have created it this moment and not written to it yet.
      if (holderOf(lock) === "") await sleep(50);
      const [pid, ...identity] = holderOf(lock).split(" ");
      if (identityOf(Number(pid)) === identity.join(" ")) {
        const message = `another up (process ${pid}) uses ${path}: stop it, or choose another folder with --data`;
        throw new StackError(message);
      }
      rmSync(lock, { force: true });
      continue;
    }
    // Two processes that find the same stale lock may remove each other's new one: only the last one remains.
    await sleep(50);
    if (holderOf(lock) === mine) return;
  }
}

function holderOf(lock: string): string {
  try {
    return readFileSync(lock, "utf8");
  } catch {
    return "";
  }
}
