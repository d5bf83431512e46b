import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { identityOf } from "./process-identity.ts";

interface PidFile {
  readonly pid: number;
  readonly identity: string;
  readonly stage: number;
  readonly signal: NodeJS.Signals;
}

/**
 * A file for each process that `up` has started. If this `up` is killed and cannot stop them, the next one finds them.
 */
export class PidFiles {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Never throws. @param signal asks this process to end gracefully. @param stage processes of a higher stage stop earlier. */
  record(name: string, pid: number, stage: number, signal: NodeJS.Signals): void {
    const identity = identityOf(pid);
    if (identity === undefined) return;
    const file: PidFile = { pid, identity, stage, signal };
    try {
      mkdirSync(this.#folder, { recursive: true });
      writeFileSync(join(this.#folder, name), JSON.stringify(file));
    } catch {
      // A full disk. The process runs already, and as a failed start it would be started again and stopped by nobody.
    }
  }

  /** Deletes all records, after the processes have been stopped. */
  clear(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /**
   * Stops what an earlier `up` left running, highest stage first, by SIGKILL after 10 s. Resolves to the names. Never
   * touches another process that got the same id.
   */
  async stopLeftovers(): Promise<readonly string[]> {
    const left = this.#living();
    for (const stage of new Set(left.map(({ file }) => file.stage).sort((a, b) => b - a))) {
      await Promise.all(left.filter(({ file }) => file.stage === stage).map(({ file }) => end(file)));
    }
    this.clear();
    return left.map(({ name }) => name);
  }

  /** Kills them all without waiting: the last resort of a process that is about to end. */
  killAll(): void {
    for (const { file } of this.#living()) send(file, "SIGKILL");
  }

  #living(): { name: string; file: PidFile }[] {
    let names: string[] = [];
    try {
      names = readdirSync(this.#folder);
    } catch {
      // No folder: nothing was ever started.
    }
    return names
      .map((name) => ({ name, file: read(join(this.#folder, name)) }))
      .filter(
        (entry): entry is { name: string; file: PidFile } => entry.file !== undefined && lives(entry.file),
      );
  }
}

function lives(file: PidFile): boolean {
  return identityOf(file.pid) === file.identity;
}

async function end(file: PidFile): Promise<void> {
  send(file, file.signal);
  const deadline = Date.now() + 10_000;
  while (lives(file)) {
    if (Date.now() > deadline) send(file, "SIGKILL");
    await sleep(50);
  }
}

function send(file: PidFile, signal: NodeJS.Signals): void {
  try {
    process.kill(file.pid, signal);
  } catch {
    // The process has just ended by itself.
  }
}

function read(path: string): PidFile | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as PidFile; // only `record` writes these
  } catch {
    // A crash cut the file short.
    return undefined;
  }
}
