import { onOneLine } from "./terminal.ts";

interface TableStyle {
  /** The headings; omitted = none. */
  readonly head?: readonly string[];
  /** Put before each line. */
  readonly indent?: string;
  /** Right-aligned columns, for numbers; by position, from 0. */
  readonly right?: (column: number) => boolean;
  /** Between two columns. */
  readonly gap?: string;
}

/** The fields of one thing, a line each. */
export const factTable = (body: object): string =>
  table(Object.entries(body).map(([name, value]) => [name, shown(value)]));

const shown = (value: unknown): string =>
  value === null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);

/** Formats rows as aligned lines, each cell on one line and safe for a terminal. Any number of rows. */
export function table(
  rows: readonly (readonly string[])[],
  { head, indent = "", right = () => false, gap = "  " }: TableStyle = {},
): string {
  const lines = [...(head === undefined ? [] : [head]), ...rows].map((row) => row.map(onOneLine));
  // Math.max over a spread would fail with 10,000 rows.
  const widths: number[] = [];
  for (const line of lines)
    for (const [column, cell] of line.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  const pad = (cell: string, column: number): string =>
    right(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0);
  return lines.map((line) => `${indent}${line.map(pad).join(gap)}`.trimEnd().concat("\n")).join("");
}
