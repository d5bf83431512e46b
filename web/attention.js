import { count, duration } from "./format.js";
import { html } from "./html.js";

/**
 * What somebody has to look at, the worst first, before anything else on the page. Nothing where all is well.
 * @param {{ picture: object }} props the pipeline as it is now
 */
export function Attention({ picture }) {
  const found = [...stopped(picture), ...unready(picture), ...full(picture), ...warned(picture)];
  if (found.length === 0) return null;
  return html`
    <section class="attention" aria-labelledby="attention">
      <h2 id="attention"><span role="status">${found.length === 1 ? "One thing needs a look" : `${found.length} things need a look`}</span></h2>
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

/** Each service once, whatever parts of the pipeline it is. */
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
      says: `process ${pid} on ${host} has said nothing for ${duration(silent_ms)}: look whether it hangs.`,
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

/** A work queue refuses at its limit. The log and the dead letters drop their oldest, which is as it should be. */
const full = ({ streams }) =>
  streams
    .filter(({ stream }) => !["CASINO_EVENTS", "CASINO_DEAD"].includes(stream))
    .map(({ stream, bytes, max_bytes }) => ({ stream, share: max_bytes > 0 ? bytes / max_bytes : 0 }))
    .filter(({ share }) => share > 0.8)
    .map(({ stream, share }) => ({
      tone: "bad",
      name: stream,
      says: `is ${Math.round(share * 100)} % full, and refuses at 100 %: look at what takes from it.`,
    }));

const warned = (picture) => {
  const said = new Map();
  for (const { service, parts } of services(picture))
    for (const says of parts.flatMap(({ warnings }) => warnings))
      if (!said.has(says)) said.set(says, service);
  return [...said].map(([says, name]) => ({ tone: "warn", name, says }));
};
