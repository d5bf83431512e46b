import type { Growth } from "./growth.ts";

/** One SVG of the growth by events and by players: time per event above, memory below. */
export function renderPlot(growths: {
  readonly events: readonly Growth[];
  readonly players: readonly Growth[];
}): string {
  const panels = [
    ...[timePanel("events so far", growths.events), timePanel("players", growths.players)],
    ...[memoryPanel("events so far", growths.events), memoryPanel("players", growths.players)],
  ].map(
    (panel, index) =>
      `<g transform="translate(${(index % 2) * panelWidth} ${Math.floor(index / 2) * panelHeight})">${panel}</g>`,
  );
  const [width, height] = [2 * panelWidth, 2 * panelHeight];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">
<rect width="${width}" height="${height}" fill="white"/>
${panels.join("\n")}
</svg>
`;
}

const [panelWidth, panelHeight] = [480, 300];
/** The axes' position within a panel; the names of lines are to the right. */
const axes = { left: 60, right: panelWidth - 110, top: 40, bottom: panelHeight - 45 };
/** Colours that colour-blind people can distinguish (Okabe and Ito). */
const colours = ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#000000"];

interface Line {
  readonly name: string;
  readonly points: readonly (readonly [size: number, value: number])[];
}

function timePanel(what: string, growths: readonly Growth[]): string {
  const points = growths.map(({ size, microseconds }) => [size, microseconds] as const);
  return panelOf(`µs per event, by ${what}`, [{ name: "", points }]);
}

function memoryPanel(what: string, growths: readonly Growth[]): string {
  // Sorted, so that a process has the same colour in every panel.
  const names = [...(growths.at(-1)?.memory.keys() ?? [])].filter((name) => name !== "rates").sort();
  const lines = names.map((name) => ({
    name,
    points: growths.map(({ size, memory }) => [size, memory.get(name) ?? 0] as const),
  }));
  return panelOf(`memory in MiB, by ${what}`, lines);
}

/** A logarithmic axis of sizes and a linear one of values from zero: constant values are a level line. */
function panelOf(title: string, lines: readonly Line[]): string {
  const points = lines.flatMap((line) => line.points);
  if (points.length === 0) return "";
  const logs = points.map(([size]) => Math.log10(size));
  const [low, high] = [Math.min(...logs), Math.max(...logs)];
  const top = niceTop(Math.max(...points.map(([, value]) => value)));
  const x = (size: number) =>
    axes.left + ((Math.log10(size) - low) / (high - low || 1)) * (axes.right - axes.left);
  const y = (value: number) => axes.bottom - (value / top) * (axes.bottom - axes.top);

  const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const value = top * share;
    return `<path d="M${axes.left} ${y(value)}H${axes.right}" stroke="#ddd"/><text x="${axes.left - 6}" y="${y(value) + 4}" text-anchor="end">${value.toLocaleString("en")}</text>`;
  });
  const sizes = [...new Set(points.map(([size]) => size))].map(
    (size) => `<text x="${x(size)}" y="${axes.bottom + 18}" text-anchor="middle">${short(size)}</text>`,
  );
  const drawn = lines.map(({ name, points }, index) => {
    const colour = colours[index % colours.length];
    const path = points.map(([size, value]) => `${x(size).toFixed(1)} ${y(value).toFixed(1)}`).join("L");
    const nameAt = axes.top + 16 * index + 4;
    return `<path d="M${path}" fill="none" stroke="${colour}" stroke-width="2"/><text x="${axes.right + 8}" y="${nameAt}" fill="${colour}">${name}</text>`;
  });
  return [
    `<text x="${axes.left}" y="22" font-weight="bold">${title}</text>`,
    ...grid,
    ...sizes,
    ...drawn,
  ].join("");
}

/** The next of 1, 2, 4, 8 times a power of ten. */
function niceTop(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value || 1));
  return ([1, 2, 4, 8].find((factor) => factor * power >= value) ?? 10) * power;
}

/** 30,000 → 30k */
function short(size: number): string {
  if (size >= 1_000_000) return `${size / 1_000_000}M`;
  return size >= 1_000 ? `${size / 1_000}k` : String(size);
}
