import { rate } from "./format.js";
import { html } from "./html.js";
import { useEffect, useRef, useState } from "./vendor/hooks.js";
import uPlot from "./vendor/uplot.js";

const height = 180;

/** Final events per second over the last 15 minutes. */
export function Chart({ history }) {
  const place = useRef(null);
  const plot = useRef(null);
  const [theme, setTheme] = useState(0);
  const isEmpty = history === null || history.rates.every((value) => value === null);

  useEffect(() => {
    const anew = () => setTheme((times) => times + 1);
    const system = matchMedia("(prefers-color-scheme: dark)");
    addEventListener("themechange", anew);
    system.addEventListener("change", anew);
    return () => {
      removeEventListener("themechange", anew);
      system.removeEventListener("change", anew);
    };
  }, []);
  useEffect(() => {
    if (isEmpty) return undefined;
    const { clientWidth: width } = place.current;
    plot.current = new uPlot({ ...options(), width, height }, dataOf(history), place.current);
    const resize = new ResizeObserver(([{ contentRect }]) =>
      plot.current?.setSize({ width: Math.floor(contentRect.width), height }),
    );
    resize.observe(place.current);
    return () => {
      resize.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [isEmpty, theme]);
  useEffect(() => {
    if (history !== null) plot.current?.setData(dataOf(history));
  }, [history]);

  const known = isEmpty ? [] : history.rates.filter((value) => value !== null);
  const says = isEmpty
    ? "No measurements yet."
    : `Now ${rate(known.at(-1))}; maximum of the last 15 minutes ${rate(Math.max(...known))}.`;
  return html`
    <section class="card" aria-labelledby="chart">
      <h2 id="chart">Final events per second</h2>
      <p class="hint">${says}</p>
      <div class="chart" ref=${place} role="img" aria-label=${`Line chart of final events per second. ${says}`}></div>
    </section>
  `;
}

const minutes = (second) =>
  new Date(second * 1_000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });

function dataOf({ until, rates }) {
  return [rates.map((_, index) => until - rates.length + 1 + index), rates];
}

function options() {
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(name).trim();
  // A canvas does not understand light-dark(), so an element resolves it.
  const resolved = (name) => {
    const probe = document.createElement("span");
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const { color: value } = getComputedStyle(probe);
    probe.remove();
    return value || color(name);
  };
  const axis = {
    stroke: resolved("--muted"),
    grid: { stroke: resolved("--line"), width: 1 },
    ticks: { show: false },
    font: "12px system-ui, sans-serif",
  };
  return {
    legend: { show: false },
    cursor: { show: false },
    scales: { y: { range: (_plot, _min, max) => [0, Math.max(max * 1.15, 5)] } },
    axes: [
      { ...axis, values: (_plot, times) => times.map(minutes), space: 70, size: 30 },
      { ...axis, size: 56 },
    ],
    series: [
      {},
      {
        stroke: resolved("--accent"),
        width: 2,
        fill: resolved("--accent-soft"),
        points: { show: false },
        spanGaps: false,
      },
    ],
  };
}
