import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { damaged } from "./format.ts";

const newline = 0x0a;
const terminator = Buffer.from("\\.\n");
const terminatorAfterRow = Buffer.from("\n\\.\n");
/** For a line of JSON. */
const longestLine = 1024 * 1024;

/** Reads a backup from start to end, by lines and by tables' rows, holding no more than one row. */
export class BackupReader implements AsyncDisposable {
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #close: () => void;
  /** Read but not used yet; starts with a line. */
  #rest: Buffer = Buffer.alloc(0);

  /** @param source is destroyed at the end, or when it is aborted */
  constructor(source: Readable, signal: AbortSignal) {
    const plain = createGunzip({ chunkSize: 256 * 1024 });
    // Its error comes out of `plain`.
    pipeline(source, plain, { signal }).catch(() => undefined);
    this.#chunks = (plain as AsyncIterable<Buffer>)[Symbol.asyncIterator](); // no encoding is set
    this.#close = () => plain.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close();
  }

  /** The next line, without its break. @throws CommandError when there is none */
  async line(): Promise<string> {
    for (;;) {
      const end = this.#rest.indexOf(newline);
      if (end >= 0) {
        const line = this.#rest.toString("utf8", 0, end);
        this.#rest = this.#rest.subarray(end + 1);
        return line;
      }
      if (this.#rest.length > longestLine) throw damaged("a line is too long");
      await this.#more();
    }
  }

  /** A table's complete rows, up to and including the line that ends them. @throws CommandError */
  async *rows(): AsyncGenerator<Buffer> {
    for (;;) {
      if (this.#rest.subarray(0, terminator.length).equals(terminator)) {
        this.#rest = this.#rest.subarray(terminator.length);
        return;
      }
      const last = this.#rest.indexOf(terminatorAfterRow);
      const end = last >= 0 ? last : this.#rest.lastIndexOf(newline);
      if (end >= 0) {
        yield this.#rest.subarray(0, end + 1);
        this.#rest = this.#rest.subarray(end + 1);
      }
      if (last < 0) await this.#more();
    }
  }

  /** Reads to the end, where the checksum is. @throws CommandError when more follows */
  async end(): Promise<void> {
    if (this.#rest.length > 0 || (await this.#next()) !== undefined)
      throw damaged("it goes on after its end");
  }

  async #more(): Promise<void> {
    const chunk = await this.#next();
    if (chunk === undefined) throw damaged("it ends too early");
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
  }

  async #next(): Promise<Buffer | undefined> {
    try {
      const { done, value } = await this.#chunks.next();
      return done === true ? undefined : value;
    } catch (err) {
      const code = err instanceof Error && "code" in err ? String(err.code) : "";
      if (code.startsWith("Z_")) throw damaged(err instanceof Error ? err.message : code, err);
      throw err;
    }
  }
}
