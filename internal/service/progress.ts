/** The part of a terminal's stream that is used. */
interface Screen {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** How often it is written, in ms. A file or a pipe keeps every line. */
const pace = { terminal: 200, elsewhere: 10_000 };
const clearLine = "\r\x1b[2K";

/**
 * The progress of a long command on stderr: on a terminal a status line that it overwrites, elsewhere a plain
 * line every ten seconds, the first after as long.
 */
export class Progress implements Disposable {
  readonly #label: string;
  readonly #screen: Screen;
  readonly #everyMs: number;
  #nextAt = 0;
  #isShown = false;

  /** @param label the command's name, before each plain line */
  constructor(label: string, screen: Screen = process.stderr, everyMs?: number) {
    this.#label = label;
    this.#screen = screen;
    this.#everyMs = everyMs ?? (screen.isTTY === true ? pace.terminal : pace.elsewhere);
    if (screen.isTTY !== true) this.#nextAt = performance.now() + this.#everyMs;
  }

  /** Shows a line of our own text; skips most, so that it costs next to nothing. */
  show(text: () => string): void {
    const now = performance.now();
    if (now < this.#nextAt) return;
    this.#nextAt = now + this.#everyMs;
    if (this.#screen.isTTY !== true) {
      this.#screen.write(`${this.#label}: ${text()}\n`);
      return;
    }
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
