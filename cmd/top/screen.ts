import type { WriteStream } from "node:tty";
import { forTerminal } from "../../internal/service/terminal.ts";

const control = "\u001b[";

/** The part of a terminal's stream that is used. */
export type Terminal = Pick<WriteStream, "write" | "columns" | "rows" | "getColorDepth">;

/** Shows one text after another in the same place of a terminal, and restores the terminal when closed. */
export class Screen {
  readonly #out: Terminal;

  constructor(out: Terminal) {
    this.#out = out;
    this.open();
  }

  /** Opens it again after `close`. */
  open(): void {
    // The alternate screen, without a cursor.
    this.#out.write(`${control}?1049h${control}?25l`);
  }

  /** Cuts off what does not fit: a line that wraps would move everything below it. */
  show(text: string): void {
    const { columns, rows } = this.#out;
    const lines = forTerminal(text, "\n")
      .split("\n")
      .slice(0, rows - 1);
    const hasColors = this.#out.getColorDepth() >= 4;
    const shown = lines.map((line) => {
      const cut = line.slice(0, columns);
      return `${hasColors ? colored(cut) : cut}${control}K`;
    });
    this.#out.write(`${control}H${shown.join("\n")}${control}J`);
  }

  close(): void {
    this.#out.write(`${control}?25h${control}?1049l`);
  }
}

/** States stand out by their colour too. */
function colored(line: string): string {
  return line
    .replace(/\b(NOT RUNNING|SILENT)\b/, `${control}1;31m$1${control}0m`)
    .replace(/\bnot ready\b/, `${control}33m$&${control}0m`)
    .replace(/\brunning\b/, `${control}32m$&${control}0m`);
}
