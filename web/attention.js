import { count, duration } from "./format.js";
import { html } from "./html.js";

/**
 * Problems and warnings, the worst first, at the top of the page. Nothing if there are none.
 * @param {{ picture: object }} props the pipeline's current state
 */
export function Attention({ picture }) {
  const found = [...stopped(picture), ...unready(picture), ...full(picture), ...warned(picture)];
  if (found.length === 0) return null;
  return html`
    <section class="attention" aria-labelledby="attention">
      <h2 id="attention"><span role="status">${found.length === 1 ? "1 thing needs attention" : `${found.length} things need attention`}</span></h2>
      <ul>
        ${found.map(
          ({ tone, name, says, command }) => html`
            <li key=${name + says}>
              <span class=${`badge ${tone}`}>${name}</span>
              <span class="says">${says}${command && html` <code>${command}</code>`}</span>
            </li>
          `,
        )}
      </ul>
    </section>
  `;
}

/** Each service once, with its parts of the pipeline. */
function services({ sources, steps, readers }) {
  const all = [...sources, ...steps, ...readers];
  return [...new Set(all.map(({ service }) => service))].map((service) => ({
    service,
    parts: all.filter((part) => part.service === service),
  }));
}

const stopped = (picture) =>
  services(picture).flatMap(({ service, parts }) => {
    const down = parts.filter(({ health }) => health === "down");
    if (down.length > 0) {
      const all = down.length === parts.length;
      const what = all ? "is not running" : `does not run ${down.map(({ name }) => name).join(", ")}`;
      const backlog = down.reduce((sum, part) => sum + (part.backlog ?? 0), 0);
      const waits = backlog > 0 ? `: ${count(backlog)} messages wait for it` : "";
      return [
        { tone: "bad", name: service, says: `${what}${waits}. Start it:`, command: `npm run ${service}` },
      ];
    }
    const silent = parts[0].instances.filter((one) => one.silent);
    return silent.map(({ host, pid, silent_ms }) => ({
      tone: "bad",
      name: service,
      says: `process ${pid} on ${host} has sent no status for ${duration(silent_ms)}: check whether it hangs.`,
    }));
  });

const unready = (picture) =>
  services(picture).flatMap(({ service, parts }) =>
    [...new Set(parts.flatMap(({ problems }) => problems))].map((says) => ({
      tone: "bad",
      name: service,
      says,
    })),
  );

/** Only work queues refuse at their limit. The log and the dead letters drop their oldest messages, as intended. */
const full = ({ streams }) =>
  streams
    .filter(({ stream }) => !["CASINO_EVENTS", "CASINO_DEAD"].includes(stream))
    .map(({ stream, bytes, max_bytes }) => ({ stream, share: max_bytes > 0 ? bytes / max_bytes : 0 }))
    .filter(({ share }) => share > 0.8)
    .map(({ stream, share }) => ({
      tone: "bad",
      name: stream,
      says: `is ${Math.round(share * 100)} % full, and refuses messages at 100 %: check its consumer.`,
    }));

const warned = (picture) => {
  const said = new Map();
  for (const { service, parts } of services(picture))
    for (const says of parts.flatMap(({ warnings }) => warnings))
      if (!said.has(says)) said.set(says, service);
  return [...said].map(([says, name]) => ({ tone: "warn", name, says }));
};
