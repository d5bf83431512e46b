import { ask } from "./api.js";
import { ago, duration } from "./format.js";
import { html } from "./html.js";
import { useAsked } from "./use-asked.js";
import { useState } from "./vendor/hooks.js";

const outcomes = ["", "delivered", "failed", "set_aside", "discarded"];

/** Clients' webhook destinations, and the attempts to deliver to them. */
export function Deliveries({ holder }) {
  const isOperator = holder.role === "operator";
  const [chosen, setChosen] = useState("");
  return html`
    <${Destinations} isOperator=${isOperator} chosen=${chosen} onChoose=${setChosen} />
    <${Attempts} isOperator=${isOperator} destination=${chosen} onAll=${() => setChosen("")} />
  `;
}

function Destinations({ isOperator, chosen, onChoose }) {
  const { answer, problem, doing, busy } = useAsked("/destinations?limit=200");
  const [tested, setTested] = useState(null);
  const test = (id) =>
    doing(async () => setTested({ id, ...(await ask("POST", `/destinations/${id}/test`)) }));
  const change = (id, enabled) => doing(() => ask("PATCH", `/destinations/${id}`, { enabled }));
  return html`
    <section class="card" aria-labelledby="destinations">
      <h2 id="destinations">Destinations</h2>
      ${problem && html`<p class="notice bad" role="alert">${problem}</p>`}
      ${answer?.destinations.length === 0 && html`<p class="hint">No destinations yet. Add one with <code>npm run destinations -- add</code> or <code>POST /destinations</code> (<a href="/docs">API</a>): it gets the client's events as signed webhooks.</p>`}
      <div role="status">${
        tested !== null &&
        html`<p class=${`notice ${tested.ok ? "good" : "bad"}`}>${tested.id}: ${tested.ok ? `answered ${tested.status} within ${duration(tested.duration_ms)}.` : tested.error}</p>`
      }</div>
      ${
        answer?.destinations.length > 0 &&
        html`<div class="scroll" tabindex="0" role="group" aria-labelledby="destinations"><table>
          <thead><tr><th scope="col">destination</th><th scope="col">state</th>${isOperator && html`<th scope="col">client</th>`}<th scope="col">URL</th><th scope="col"><span class="visually-hidden">actions</span></th></tr></thead>
          <tbody>
            ${answer.destinations.map(
              ({ id, client_id, url, enabled, disabled_reason, failing_since }) => html`
                <tr key=${id}>
                  <th scope="row"><button type="button" aria-pressed=${chosen === id} onClick=${() => onChoose(chosen === id ? "" : id)} aria-label=${`Deliveries to ${id}`}>${id}</button></th>
                  <td>${
                    !enabled
                      ? html`<span class="badge bad">disabled</span> ${disabled_reason}`
                      : failing_since !== null
                        ? html`<span class="badge warn">failing</span> for ${ago(failing_since).replace(" ago", "")}`
                        : html`<span class="badge good">enabled</span>`
                  }</td>
                  ${isOperator && html`<td>${client_id}</td>`}
                  <td class="break">${url}</td>
                  <td>
                    <button type="button" disabled=${busy} aria-label=${`Send a test to ${id}`} onClick=${() => test(id)}>Test</button>${" "}
                    <button type="button" disabled=${busy} aria-label=${`${enabled ? "Disable" : "Enable"} ${id}`} onClick=${() => change(id, !enabled)}>${enabled ? "Disable" : "Enable"}</button>
                  </td>
                </tr>
              `,
            )}
          </tbody>
        </table></div>`
      }
    </section>
  `;
}

function Attempts({ isOperator, destination, onAll }) {
  const [outcome, setOutcome] = useState("");
  const query = new URLSearchParams({
    limit: 100,
    ...(outcome && { outcome }),
    ...(destination && { destination_id: destination }),
  });
  const { answer, problem, again, doing, busy } = useAsked(`/deliveries?${query}`);
  const [said, setSaid] = useState("");
  const resend = (id) =>
    doing(async () => {
      await ask("POST", `/deliveries/${id}/resend`);
      setSaid(`Requested: the sender resends the event of delivery ${id} within seconds.`);
    });
  return html`
    <section class="card" aria-labelledby="attempts">
      <h2 id="attempts">Deliveries${destination && ` to ${destination}`}</h2>
      <div class="controls">
        <label>Outcome <select value=${outcome} onChange=${(event) => setOutcome(event.target.value)}>${outcomes.map((one) => html`<option value=${one} key=${one}>${one || "all"}</option>`)}</select></label>
        ${destination && html`<button type="button" onClick=${onAll}>Show all destinations</button>`}
        <button type="button" onClick=${again}>Refresh</button>
      </div>
      ${problem && html`<p class="notice bad" role="alert">${problem}</p>`}
      <div role="status">${said && html`<p class="notice good">${said}</p>`}</div>
      ${answer?.deliveries.length === 0 && html`<p class="hint">${outcome || destination ? "No deliveries match." : "No deliveries yet."}</p>`}
      ${
        answer?.deliveries.length > 0 &&
        html`<div class="scroll tall" tabindex="0" role="group" aria-labelledby="attempts"><table>
          <thead><tr><th scope="col">when</th><th scope="col">outcome</th><th scope="col">event</th>${isOperator && html`<th scope="col">client</th>`}<th scope="col">attempt</th><th scope="col">duration</th><th scope="col"><span class="visually-hidden">actions</span></th></tr></thead>
          <tbody>
            ${answer.deliveries.map(
              (one) => html`
                <tr key=${one.id}>
                  <td>${ago(one.at)}</td>
                  <td class="outcome"><span class=${`badge ${one.outcome === "delivered" ? "good" : "bad"}`}>${one.outcome}</span> ${one.status} ${one.error}</td>
                  <th scope="row">${one.event_type} ${one.event_id} <small>${one.source}</small></th>
                  ${isOperator && html`<td>${one.client_id}</td>`}
                  <td>${one.attempt}</td>
                  <td>${duration(one.duration_ms)}</td>
                  <td><button type="button" disabled=${busy} aria-label=${`Resend delivery ${one.id}`} onClick=${() => resend(one.id)}>Resend</button></td>
                </tr>
              `,
            )}
          </tbody>
        </table></div>`
      }
    </section>
  `;
}
