import { EventTypes } from "./event-types.js";
import { duration } from "./format.js";
import { html } from "./html.js";
import { Keys } from "./keys.js";
import { lacksRates } from "./overview.js";

/** Rates, API keys and event types. */
export function Setup({ holder, frame }) {
  const isOperator = holder.role === "operator";
  const clients = frame?.clients?.map(({ id }) => id) ?? [];
  return html`
    ${isOperator && frame !== null && html`<${Rates} rates=${frame.rates} isLacking=${lacksRates(frame.picture)} />`}
    <${Keys} isOperator=${isOperator} clients=${clients} />
    <${EventTypes} isOperator=${isOperator} clients=${clients} />
  `;
}

function Rates({ rates, isLacking }) {
  return html`
    <section class="card" aria-labelledby="rates">
      <h2 id="rates">Rates</h2>
      ${
        rates === null
          ? isLacking
            ? html`<p class="notice">No current rates, so events in currencies other than EUR wait. Check <code>RATES_URL</code> and the enricher's log.</p>`
            : html`<p class="hint">No current rates. The enricher fetches them when an event needs one.</p>`
          : html`
              <p>${rates.currencies} currencies, fetched ${duration(rates.age_ms)} ago. Rates are used for at most 60 seconds.</p>
              ${rates.missing.length > 0 && html`<p class="notice">The last answer of the rates API lacked ${rates.missing.join(", ")}. Events in these currencies wait.</p>`}
            `
      }
    </section>
  `;
}
