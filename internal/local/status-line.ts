/** The part of a terminal's stream that is used. */
interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const clearLine = "\r\x1b[2K";

/**
 * The last line of a terminal, which says how things are and is written over. Whoever writes something else there lifts it
 * first and lays it down again after. Silent where there is no terminal.
 */
export class StatusLine {
  readonly #terminal: Terminal;
  #text = "";
  #isShown = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  get isThere(): boolean {
    return this.#terminal.isTTY === true;
  }

  /** @param text of one line; what is too long for the terminal is cut, or it could not be written over */
  show(text: string): void {
    this.#text = text.slice(0, Math.max(20, (this.#terminal.columns ?? 80) - 1));
    this.lift();
    this.lay();
  }

  lift(): void {
    if (this.#isShown) this.#terminal.write(clearLine);
    this.#isShown = false;
  }

  lay(): void {
    if (!this.isThere || this.#text === "") return;
    this.#terminal.write(this.#text);
    this.#isShown = true;
  }

  /** Takes it away for good. */
  end(): void {
    this.lift();
    this.#text = "";
  }
}
