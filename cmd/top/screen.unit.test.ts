import { describe, expect, test } from "vitest";
import { Screen, type Terminal } from "./screen.ts";

/** A terminal that does what it is told, as far as a screen tells it anything. */
class FakeTerminal {
  readonly columns = 20;
  readonly rows = 5;
  readonly depth: number;
  lines: string[] = [];
  isOther = false;
  hasCursor = true;
  #at = { row: 0, column: 0 };

  constructor(depth = 1) {
    this.depth = depth;
  }

  getColorDepth = () => this.depth;

  write = (text: string): boolean => {
    const told = text.replaceAll("\u001b", "␛");
    for (const [, code, line, feed] of told.matchAll(/␛\[([?\d;]*[a-zA-Z])|([^␛\n]+)|(\n)/g)) {
      if (code !== undefined) this.#obey(code);
      else if (feed !== undefined) this.#at = { row: this.#at.row + 1, column: 0 };
      else if (line !== undefined) this.#put(line);
    }
    return true;
  };

  #put(text: string): void {
    const { row, column } = this.#at;
    const before = (this.lines[row] ?? "").padEnd(column);
    this.lines[row] = before.slice(0, column) + text + before.slice(column + text.length);
    this.#at.column += text.length;
  }

  #obey(code: string): void {
    const { row, column } = this.#at;
    if (code === "H") this.#at = { row: 0, column: 0 };
    else if (code === "K") this.lines[row] = (this.lines[row] ?? "").slice(0, column);
    else if (code === "J") this.lines = this.lines.slice(0, row + 1);
    else if (/^\?1049[hl]$/.test(code)) this.isOther = code.endsWith("h");
    else if (/^\?25[hl]$/.test(code)) this.hasCursor = code.endsWith("h");
    else if (code.endsWith("m")) this.#put(`<${code}>`);
    else throw new Error(`unknown: ${code}`);
  }
}

/** Nothing else of a terminal is used. */
const asTerminal = (terminal: FakeTerminal): Terminal => terminal as unknown as Terminal;

describe("the screen", () => {
  test("shows each text in place of the one before, whatever was longer", () => {
    const terminal = new FakeTerminal();
    const screen = new Screen(asTerminal(terminal));
    expect([terminal.isOther, terminal.hasCursor]).toEqual([true, false]);
    screen.show("a longer first line\nsecond\nthird");
    expect(terminal.lines).toEqual(["a longer first line", "second", "third"]);
    screen.show("first\nanother second");
    expect(terminal.lines).toEqual(["first", "another second"]);
    screen.close();
    expect([terminal.isOther, terminal.hasCursor]).toEqual([false, true]);
    screen.open();
    expect([terminal.isOther, terminal.hasCursor]).toEqual([true, false]);
  });

  test("cuts off what does not fit: nothing wraps, nothing scrolls", () => {
    const terminal = new FakeTerminal();
    new Screen(asTerminal(terminal)).show(
      Array.from({ length: 9 }, (_, line) => `${line}${"x".repeat(40)}`).join("\n"),
    );
    expect(terminal.lines).toEqual([0, 1, 2, 3].map((line) => `${line}${"x".repeat(19)}`));
  });

  test("colours states where there are colours, and lets no event set any", () => {
    const terminal = new FakeTerminal(8);
    new Screen(asTerminal(terminal)).show("a NOT RUNNING\nb running\nc \u001b[31m");
    expect(terminal.lines.slice(0, 2)).toEqual(["a <1;31m>NOT RUNNING<0m>", "b <32m>running<0m>"]);
    expect(terminal.lines[2]).toContain("\\u001b[31m");
  });
});
