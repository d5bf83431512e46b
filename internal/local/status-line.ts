/** The part of a terminal's stream that we use. */
interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const clearLine = "\r\x1b[2K";
const lineAbove = "\x1b[1A";

/**
 * Status lines at the bottom of a terminal, which are overwritten. Other output first clears them and then draws them
 * again. Does nothing without a terminal.
 */
export class StatusLine {
  readonly #terminal: Terminal;
  #lines: readonly string[] = [];
  #shown = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  get isThere(): boolean {
    return this.#terminal.isTTY === true;
  }

  /** @param lines are cut at the terminal's width, because longer ones could not be overwritten */
  show(...lines: readonly string[]): void {
    const width = Math.max(20, (this.#terminal.columns ?? 80) - 1);
    this.#lines = lines.map((line) => line.slice(0, width));
    this.lift();
    this.lay();
  }

  lift(): void {
    if (this.#shown > 0) this.#terminal.write(clearLine + (lineAbove + clearLine).repeat(this.#shown - 1));
    this.#shown = 0;
  }

  lay(): void {
    if (!this.isThere || this.#lines.length === 0) return;
    this.#terminal.write(this.#lines.join("\n"));
    this.#shown = this.#lines.length;
  }

  /** Removes them for good. */
  end(): void {
    this.lift();
    this.#lines = [];
  }
}
