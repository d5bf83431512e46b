import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { StatusLine } from "./status-line.ts";

/** Takes whole lines. */
export interface LineSink {
  /** Resolves when there is room for more. */
  write(lines: Uint8Array | string): Promise<void>;
}

/** The lines at the bottom of the terminal that an outlet writes to. */
type BottomLine = Pick<StatusLine, "lift" | "lay">;

/**
 * Our own stdout or stderr. It may lose its reader at any time (`| head`): later output is then dropped, and the
 * process continues.
 */
export class Outlet implements LineSink {
  readonly #stream: Writable;
  readonly #bottom: BottomLine | undefined;
  #open = true;
  #room = Promise.withResolvers<void>();

  /**
   * @param onClosed called once when the reader is gone
   * @param bottom lines on the same terminal that stay below all other output
   */
  constructor(stream: Writable, onClosed: () => void, bottom?: BottomLine) {
    this.#stream = stream;
    this.#bottom = bottom;
    stream.on("drain", () => this.#makeRoom());
    stream.on("error", () => {
      this.#makeRoom();
      if (!this.#open) return;
      this.#open = false;
      onClosed();
    });
  }

  /** Resolves when there is room for more, so that a slow reader slows its source down and fills no memory. */
  async write(data: Uint8Array | string): Promise<void> {
    if (!this.#open) return;
    this.#bottom?.lift();
    const hasRoom = this.#stream.write(data);
    this.#bottom?.lay();
    if (!hasRoom) await this.#room.promise;
  }

  /** Resolves when all output has left this process or cannot, and after half a second in any case. */
  async flushed(): Promise<void> {
    if (!this.#open) return;
    const written = new Promise<void>((resolve) => this.#stream.write("", () => resolve()));
    await Promise.race([written, sleep(500)]);
  }

  #makeRoom(): void {
    this.#room.resolve();
    this.#room = Promise.withResolvers();
  }
}

const newline = 0x0a;

/**
 * Copies whole lines from a child to an outlet until the child closes its end. Drops a line that the child's death has
 * cut short, because the next child's output would be appended to it.
 */
export async function relayLines(from: Readable, to: LineSink): Promise<void> {
  let rest: Buffer[] = [];
  for await (const chunk of from as AsyncIterable<Buffer>) {
    // a stream without an encoding gives Buffers
    const end = chunk.lastIndexOf(newline) + 1;
    if (end > 0) {
      await to.write(Buffer.concat([...rest, chunk.subarray(0, end)]));
      rest = [];
    }
    if (end < chunk.length) rest.push(chunk.subarray(end));
  }
}
