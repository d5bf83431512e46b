import { onOneLine } from "./terminal.ts";

/** How a table looks. */
export interface TableStyle {
  /** The headings; left out, there are none. */
  readonly head?: readonly string[];
  /** Put before each line. */
  readonly indent?: string;
  /** Columns whose cells stand to the right, as numbers do; by their places, from 0. */
  readonly right?: (column: number) => boolean;
  /** Between two columns. */
  readonly gap?: string;
}

/** Lines of cells under each other, each cell on one line and fit for a terminal, for as many rows as there are. */
export function table(
  rows: readonly (readonly string[])[],
  { head, indent = "", right = () => false, gap = "  " }: TableStyle = {},
): string {
  const lines = [...(head === undefined ? [] : [head]), ...rows].map((row) => row.map(onOneLine));
  // Not Math.max over a spread: there may be 10,000 lines.
  const widths: number[] = [];
  for (const line of lines)
    for (const [column, cell] of line.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  const pad = (cell: string, column: number): string =>
    right(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0);
  return lines.map((line) => `${indent}${line.map(pad).join(gap)}`.trimEnd().concat("\n")).join("");
}
