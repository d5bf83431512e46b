import { ago, bytes, count, duration, rate } from "./format.js";
import { html } from "./html.js";

/**
 * The pipeline from left to right: sources, the steps in order, the readers of final events.
 * @param {{ picture: object, isKnown: boolean }} props isKnown: false without NATS, because no status arrives
 */
export function Pipeline({ picture, isKnown }) {
  const { sources, steps, readers } = picture;
  return html`
    <section aria-labelledby="pipeline">
      <h2 id="pipeline">Pipeline</h2>
      <div class="pipeline">
        <ol class="flow">
          ${[...sources, ...steps].map((part) => html`<li key=${part.name}><${Part} part=${part} isKnown=${isKnown} /></li>`)}
        </ol>
        <ul class="readers" aria-label="Readers of final events">
          ${readers.map((part) => html`<li key=${part.name}><${Part} part=${part} isKnown=${isKnown} small /></li>`)}
        </ul>
      </div>
    </section>
  `;
}

const healths = {
  up: ["good", "running"],
  unready: ["warn", "not ready"],
  silent: ["bad", "instance silent"],
  down: ["bad", "not running"],
};

function Part({ part, isKnown, small = false }) {
  const [tone, says] = isKnown ? healths[part.health] : ["unknown", "unknown"];
  return html`
    <article class=${`part ${tone} ${small ? "small" : ""}`} data-part=${part.name} data-health=${part.health}>
      <h3>${part.name} <span class=${`badge ${tone}`}>${says}</span></h3>
      <p class="rate"><strong>${rate(part.rate)}</strong> <span>events/s</span></p>
      <dl>
        ${part.backlog !== null && html`<${Entry} name="waiting" value=${count(part.backlog)} tone=${part.backlog > 1_000 ? "warn" : ""} />`}
        ${part.apart > 0 && html`<${Entry} name="apart" value=${count(part.apart)} tone="warn" />`}
        <${Entry} name="in flight" value=${count(part.in_flight)} />
        ${!((small || part.backlog === null) && part.redelivered === 0) && html`<${Entry} name="redelivered" value=${count(part.redelivered)} />`}
        ${!((small || part.backlog === null) && part.dead_letters === 0) && html`<${Entry} name="dead letters" value=${count(part.dead_letters)} tone=${part.dead_letters > 0 ? "bad" : ""} />`}
        <${Entry} name="p99" value=${duration(part.p99_ms)} />
      </dl>
      ${part.problems.map((problem) => html`<p class="problem">${problem}</p>`)}
      ${isKnown && part.health === "down" && html`<p class="problem">Start it: <code>npm run ${part.service}</code></p>`}
      ${part.instances.length > 0 && html`<${Instances} part=${part} />`}
    </article>
  `;
}

const Entry = ({ name, value, tone = "" }) =>
  html`<div class=${tone}><dt>${name}</dt><dd>${value}</dd></div>`;

function Instances({ part: { instances } }) {
  return html`
    <details>
      <summary>${instances.length} ${instances.length === 1 ? "instance" : "instances"}</summary>
      <ul class="instances">
        ${instances.map(
          (one) => html`
            <li key=${one.instance} class=${one.silent ? "bad" : one.ready ? "good" : "warn"}>
              <span class="id">${one.host} · ${one.pid}</span>
              <span>
                ${
                  one.silent
                    ? `silent for ${duration(one.silent_ms)}`
                    : `${rate(one.rate)}/s · ${Math.round(one.cpu * 100)} % of a core · ${bytes(one.rss)} · loop p99 ${duration(one.event_loop_p99_ms)} · since ${ago(one.started_at).replace(" ago", "")}`
                }
              </span>
            </li>
          `,
        )}
      </ul>
    </details>
  `;
}
