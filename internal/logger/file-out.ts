import { fstatSync, write } from "node:fs";
import { Writable } from "node:stream";
import { promisify } from "node:util";
import { pauseAfter } from "../service/back-off.ts";
import type { Log } from "../service/log.ts";
import { Outage } from "../service/outage.ts";
import { Unavailable } from "../service/unavailable.ts";

type WriteFile = (fd: number, data: Uint8Array, offset: number) => Promise<{ readonly bytesWritten: number }>;

/**
 * Writes to a file and waits while its disk is full, however long. It then continues at the exact byte, so that no line
 * is torn. Node's own stdout gives up at the first such error and stays broken.
 */
export class FileOut extends Writable {
  readonly #fd: number;
  readonly #writeFile: WriteFile;
  readonly #outage: Outage;
  readonly #closing = new AbortController();

  /** @param writeFile default: Node's write */
  constructor(fd: number, log: Log, writeFile: WriteFile = promisify(write)) {
    super();
    this.#fd = fd;
    this.#writeFile = writeFile;
    this.#outage = new Outage(log);
  }

  /** A sentence while the disk is full, else undefined. */
  get problem(): string | undefined {
    return this.#outage.problem;
  }

  override _write(data: Uint8Array, _encoding: string, done: (err?: Error) => void): void {
    this.#writeAll(data).then(() => done(), done);
  }

  override _destroy(err: Error | null, done: (err?: Error | null) => void): void {
    this.#closing.abort();
    done(err);
  }

  async #writeAll(data: Uint8Array): Promise<void> {
    let written = 0;
    for (let attempt = 1; written < data.length; attempt++) {
      try {
        written += (await this.#writeFile(this.#fd, data, written)).bytesWritten;
        this.#outage.succeeded("write", this);
      } catch (err) {
        if (!isFull(err)) throw err;
        const said = new Unavailable(`the disk under stdout is full (${err.code})`, { cause: err });
        this.#outage.failed("write", this, said);
        await pauseAfter(attempt, this.#closing.signal);
        this.#closing.signal.throwIfAborted();
      }
    }
  }
}

/** Its file descriptor; `process.stdout` of a worker thread has none. */
const stdout = 1;

/** Where the logger's lines go: a file waits for its disk, a pipe or a terminal for its reader. */
export function stdoutOf(log: Log): Writable & { readonly problem?: string | undefined } {
  const kind = fstatSync(stdout);
  const isFile = kind.isFile() || (kind.isCharacterDevice() && !process.stdout.isTTY);
  return isFile ? new FileOut(stdout, log) : process.stdout;
}

/** No room on the disk, or the user's quota is used up. */
function isFull(err: unknown): err is Error & { readonly code: string } {
  return err instanceof Error && "code" in err && (err.code === "ENOSPC" || err.code === "EDQUOT");
}
