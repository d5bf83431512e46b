/** The part of a terminal's stream that is used. */
interface Screen {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

const everyMs = 200;
const clearLine = "\r\x1b[2K";

/** A status line on a terminal that a long command overwrites as it proceeds. Elsewhere it is silent. */
export class Progress implements Disposable {
  readonly #screen: Screen;
  #nextAt = 0;
  #isShown = false;

  constructor(screen: Screen = process.stderr) {
    this.#screen = screen;
  }

  /** Shows a line of our own text; skips some, so that it costs next to nothing. */
  show(text: () => string): void {
    const now = performance.now();
    if (this.#screen.isTTY !== true || now < this.#nextAt) return;
    this.#nextAt = now + everyMs;
    this.#isShown = true;
    this.#screen.write(`${clearLine}${text()}`);
  }

  /** Clears the line for other output. */
  clear(): void {
    if (this.#isShown) this.#screen.write(clearLine);
    this.#isShown = false;
  }

  [Symbol.dispose](): void {
    this.clear();
  }
}
