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

/** What `up` keeps between its runs: the data of its servers, and which processes it has started. One `up` at a time. */
export interface DataFolder {
  readonly path: string;
  readonly processes: PidFiles;
  /** The folder of one server's data. */
  of(server: "nats" | "postgres" | "redis"): string;
  /** Deletes what `up` has put into it, and nothing else; only after leftover processes are gone. Returns what is left. */
  empty(): { readonly elsewhere: string | undefined };
  /** Lets the next `up` have it. One that was made for this and came to hold nothing is gone afterwards. */
  release(): void;
}

/**
 * Takes the folder for this process, making it when missing. @throws StackError when it holds somebody else's files
 * or another living `up` has it; the lock of one that was killed is recognised as such.
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
      writeFileSync(join(path, marker), "The data of `npm run up`. `npm run up -- --fresh` starts anew.\n");
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
      // It may have been made this very moment and not been written to yet.
      if (holderOf(lock) === "") await sleep(50);
      const [pid, ...identity] = holderOf(lock).split(" ");
      if (identityOf(Number(pid)) === identity.join(" ")) {
        const message = `another up (process ${pid}) uses ${path}: stop it, or choose another folder with --data`;
        throw new StackError(message);
      }
      rmSync(lock, { force: true });
      continue;
    }
    // Two that find the same stale lock may remove each other's new one: only the last is still there a moment later.
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
