import type { WriteStream } from "node:tty";
import { forTerminal } from "../../internal/service/terminal.ts";

const control = "\u001b[";

/** A terminal that shows one text after the other in the same place, and is as before when it is closed. */
export class Screen {
  readonly #out: WriteStream;

  constructor(out: WriteStream) {
    this.#out = out;
    // The other screen, without a cursor.
    out.write(`${control}?1049h${control}?25l`);
  }

  /** What does not fit is cut off: a line that wraps would move all below it. */
  show(text: string): void {
    const { columns, rows } = this.#out;
    const lines = forTerminal(text, "\n")
      .split("\n")
      .slice(0, rows - 1);
    const shown = lines.map((line) => `${colored(line.slice(0, columns))}${control}K`);
    this.#out.write(`${control}H${shown.join("\n")}${control}J`);
  }

  close(): void {
    this.#out.write(`${control}?25h${control}?1049l`);
  }
}

/** States stand out by their colour too, where the person has not turned colours off. */
function colored(line: string): string {
  if (process.stdout.getColorDepth() < 4) return line;
  return line
    .replace(/\b(NOT RUNNING|SILENT)\b/, `${control}1;31m$1${control}0m`)
    .replace(/\bnot ready\b/, `${control}33m$&${control}0m`)
    .replace(/\brunning\b/, `${control}32m$&${control}0m`);
}
