/** A figure, a text, or figures by name (such as CPU by process). */
export type Cell = number | string | ReadonlyMap<string, number>;

/** One line of a measurement's table. */
export interface Row {
  readonly label: string;
  readonly cells: Readonly<Record<string, Cell>>;
  /** The report shows the round with the highest value. */
  readonly score: number;
  /** If set, the row has a ratio: its speed divided by (the broker's limit ÷ `publishes`). */
  readonly publishes?: number;
}

/** A row with a rate per second, compared with the broker's limit. */
export function speedRow(
  label: string,
  speed: number,
  publishes: number,
  more: Readonly<Record<string, Cell>> = {},
): Row {
  return { label, score: speed, publishes, cells: { "per second": speed, ...more } };
}

/** A row with a time: the shortest is the best. */
export function timeRow(label: string, time: number, cells: Readonly<Record<string, Cell>>): Row {
  return { label, score: -time, cells };
}

/** The best round of each row, by label, in the order of the first round. */
export function bestOf(rounds: readonly (readonly Row[])[]): readonly Row[] {
  const best = new Map<string, Row>();
  for (const row of rounds.flat())
    if (row.score > (best.get(row.label)?.score ?? Number.NEGATIVE_INFINITY)) best.set(row.label, row);
  return [...best.values()];
}

/** The row's cells, with its ratio to the limit after the first one. */
export function withRatio(row: Row, limit: number): Readonly<Record<string, Cell>> {
  if (row.publishes === undefined) return row.cells;
  const [first, ...others] = Object.entries(row.cells);
  const ratio = row.score / (limit / row.publishes);
  return Object.fromEntries([...(first === undefined ? [] : [first]), ["ratio", ratio], ...others]);
}

/** The rows as aligned lines of text; a missing column is empty. */
export function renderTable(title: string, rows: readonly Row[], limit: number): string {
  const { all, columns, lines } = laidOut("", rows, limit);
  const widths = ["", ...columns].map((_, index) =>
    Math.max(...lines.map((line) => line[index]?.length ?? 0)),
  );
  const isText = columns.map((column) => all.some(({ cells }) => typeof cells[column] === "object"));
  const renderLine = (line: readonly string[]) =>
    line
      .map((text, index) => {
        const width = widths[index] ?? 0;
        return index === 0 || isText[index - 1] ? text.padEnd(width) : text.padStart(width);
      })
      .join("  ")
      .trimEnd();
  return [title, ...lines.map((line) => `  ${renderLine(line)}`)].join("\n");
}

/** The same as Markdown, for docs/benchmarks.md. */
export function renderMarkdown(title: string, rows: readonly Row[], limit: number): string {
  const { columns, lines } = laidOut(title, rows, limit);
  const [head = [], ...others] = lines.map((line) => `| ${line.map((text) => text.trim()).join(" | ")} |`);
  return [head, `|${"---|".repeat(columns.length + 1)}`, ...others].join("\n");
}

function laidOut(corner: string, rows: readonly Row[], limit: number) {
  const all = rows.map((row) => ({ label: row.label, cells: withRatio(row, limit) }));
  const columns = [...new Set(all.flatMap(({ cells }) => Object.keys(cells)))];
  const lines = [
    [corner, ...columns],
    ...all.map(({ label, cells }) => [label, ...columns.map((column) => renderCell(cells[column]))]),
  ];
  return { all, columns, lines };
}

function renderCell(cell: Cell | undefined): string {
  if (cell === undefined) return "";
  if (typeof cell === "string") return cell;
  if (typeof cell === "number") return renderNumber(cell);
  return [...cell].map(([name, value]) => `${name} ${renderNumber(value)}`).join(", ");
}

/** Three significant digits, and all digits before the point. */
function renderNumber(value: number): string {
  const decimals = Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

/** For JSON: maps as objects. */
export function plain(cells: Readonly<Record<string, Cell>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(cells).map(([name, cell]) => [
      name,
      cell instanceof Map ? Object.fromEntries(cell) : cell,
    ]),
  );
}
