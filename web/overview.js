import { Attention } from "./attention.js";
import { Chart } from "./chart.js";
import { count, duration, rate } from "./format.js";
import { html } from "./html.js";
import { Leaders } from "./leaders.js";
import { Pipeline } from "./pipeline.js";
import { Tail } from "./tail.js";

/** Throughput, backlog and problems of the pipeline, and the casino's figures. */
export function Overview({ holder, frame, history, tail, onTail }) {
  if (frame === null) return html`<p class="waiting" role="status">Waiting for the first update…</p>`;
  const isOperator = holder.role === "operator";
  const { figures, picture, broker, rates, clients } = frame;
  const letters = isOperator ? picture.letters : frame.letters;
  return html`
    ${broker && html`<p class="notice bad" role="alert">NATS: ${broker} The services reconnect by themselves. Accepted events are not lost.</p>`}
    ${isOperator && !broker && html`<${Attention} picture=${picture} />`}
    <section class="facts" aria-label="At a glance">
      <${Fact} name="events per second" value=${rate(frame.rate)} />
      <${Fact} name="events in total" value=${count(figures?.events_total)} />
      ${isOperator && html`<${Fact} name="messages waiting" value=${count(waiting(picture))} />`}
      <${Fact} name="dead letters" value=${count(letters)} bad=${letters > 0} link="#/dead-letters" />
      ${isOperator && html`<${Fact} name="age of rates" value=${duration(rates?.age_ms)} bad=${lacksRates(picture)} />`}
    </section>
    ${figures?.events_total === 0 && html`<p class="hint">No events yet. Send one with <code>POST /events</code> (<a href="/docs">API</a>)${isOperator && html`, or random ones with <code>npm run generator</code>`}.</p>`}
    ${isOperator && html`<${Pipeline} picture=${picture} isKnown=${!broker} />`}
    <${Chart} history=${history} />
    ${
      figures === null
        ? html`<p class="notice">No materializer answers, so totals and players are missing. Start one: <code>npm run materializer</code></p>`
        : html`<${Leaders} figures=${figures} showsClient=${isOperator} />`
    }
    ${isOperator && clients.length > 0 && html`<${Clients} clients=${clients} />`}
    <${Tail} events=${tail} clients=${isOperator ? clients.map(({ id }) => id) : null} onQuery=${onTail} />
  `;
}

function Fact({ name, value, bad = false, link }) {
  const shown = html`<span class="value">${value}</span><span class="name">${name}</span>`;
  return link === undefined
    ? html`<div class=${`fact ${bad ? "bad" : ""}`}>${shown}</div>`
    : html`<a class=${`fact ${bad ? "bad" : ""}`} href=${link}>${shown}</a>`;
}

/** Rates are fetched when an event needs one, so having none is no problem by itself. */
export const lacksRates = ({ steps }) =>
  steps.some(({ problems }) => problems.some((problem) => problem.startsWith("rates:")));

const waiting = ({ steps }) =>
  steps.every(({ backlog }) => backlog === null)
    ? null
    : steps.reduce((sum, { backlog, apart }) => sum + (backlog ?? 0) + (apart ?? 0), 0);

function Clients({ clients }) {
  const sorted = clients.toSorted((a, b) => b.events_total - a.events_total);
  return html`
    <section class="card" aria-labelledby="clients">
      <h2 id="clients">By client</h2>
      <div class="scroll" tabindex="0" role="group" aria-labelledby="clients">
        <table>
          <thead><tr><th scope="col">client</th><th scope="col" class="number">events</th><th scope="col" class="number">per second</th></tr></thead>
          <tbody>
            ${sorted.map(
              ({ id, events_total, events_per_second }) => html`
                <tr key=${id}><th scope="row">${id}</th><td class="number">${count(events_total)}</td><td class="number">${rate(events_per_second)}</td></tr>
              `,
            )}
          </tbody>
        </table>
      </div>
    </section>
  `;
}
