import { EventTypes } from "./event-types.js";
import { duration } from "./format.js";
import { html } from "./html.js";
import { Keys } from "./keys.js";

/** What the pipeline goes by: rates, keys, types of event. */
export function Setup({ holder, frame }) {
  const isOperator = holder.role === "operator";
  const clients = frame?.clients?.map(({ id }) => id) ?? [];
  return html`
    ${isOperator && frame !== null && html`<${Rates} rates=${frame.rates} />`}
    <${Keys} isOperator=${isOperator} clients=${clients} />
    <${EventTypes} isOperator=${isOperator} clients=${clients} />
  `;
}

function Rates({ rates }) {
  return html`
    <section class="card" aria-labelledby="rates">
      <h2 id="rates">Rates</h2>
      ${
        rates === null
          ? html`<p class="notice bad">There are no rates at hand: events in other currencies than EUR wait. They are fetched when one comes; if none comes through, look at the enricher's log and at RATES_URL.</p>`
          : html`
              <p>${rates.currencies} currencies, fetched ${duration(rates.age_ms)} ago. A rate is used for 60 seconds at most.</p>
              ${rates.missing.length > 0 && html`<p class="notice">The last answer lacked ${rates.missing.join(", ")}: their events wait.</p>`}
            `
      }
    </section>
  `;
}
