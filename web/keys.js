import { ask } from "./api.js";
import { ago } from "./format.js";
import { html } from "./html.js";
import { Sure } from "./sure.js";
import { useAsked } from "./use-asked.js";
import { useRef, useState } from "./vendor/hooks.js";

/** API keys: a client sees its own, an operator creates and revokes those of clients. */
export function Keys({ isOperator, clients }) {
  const { answer, problem, doing, busy } = useAsked("/dashboard/keys");
  const [made, setMade] = useState("");
  const revoke = (prefix) => doing(() => ask("DELETE", `/dashboard/keys/${encodeURIComponent(prefix)}`));
  return html`
    <section class="card" aria-labelledby="keys">
      <h2 id="keys">API keys</h2>
      <p class="hint">A key is shown only once, when it is created. Gateways refuse a revoked key within 5 seconds.</p>
      ${problem && html`<p class="notice bad" role="alert">${problem}</p>`}
      ${isOperator && html`<${NewKey} clients=${clients} busy=${busy} onMake=${(wanted) => doing(async () => setMade((await ask("POST", "/dashboard/keys", wanted)).key))} />`}
      <div role="status">${made && html`<p class="notice good">New key, shown only once: <code class="secret">${made}</code></p>`}</div>
      ${answer?.keys.length === 0 && html`<p class="hint">No keys yet.</p>`}
      ${
        answer?.keys.length > 0 &&
        html`<div class="scroll" tabindex="0" role="group" aria-labelledby="keys"><table>
          <thead><tr><th scope="col">key</th><th scope="col">client</th><th scope="col">source</th><th scope="col">created</th><th scope="col">state</th>${isOperator && html`<th scope="col"><span class="visually-hidden">actions</span></th>`}</tr></thead>
          <tbody>
            ${answer.keys.map(
              (key) => html`
                <tr key=${key.prefix}>
                  <th scope="row"><code>${key.prefix}…</code></th>
                  <td>${key.client_id ?? "operator"}</td><td>${key.source}</td><td>${ago(key.created_at)}</td><td>${stateOf(key)}</td>
                  ${isOperator && html`<td>${key.revoked_at === null && html`<${Sure} name="Revoke" about=${key.prefix} sentence="Producers that use it will be refused." disabled=${busy} onSure=${() => revoke(key.prefix)} />`}</td>`}
                </tr>
              `,
            )}
          </tbody>
        </table></div>`
      }
    </section>
  `;
}

function NewKey({ clients, busy, onMake }) {
  const form = useRef(null);
  const submit = (event) => {
    event.preventDefault();
    const { client_id, source, days } = Object.fromEntries(new FormData(form.current));
    onMake({ client_id, source, ...(days && { days: Number(days) }) });
  };
  return html`
    <form ref=${form} class="controls" onSubmit=${submit}>
      <label>Client <input name="client_id" list="key-clients" required size="14" /></label>
      <datalist id="key-clients">${clients.map((id) => html`<option value=${id} key=${id} />`)}</datalist>
      <label>Source <input name="source" required size="12" placeholder="crm" /></label>
      <label>Days until it expires <input name="days" type="number" min="1" max="3650" placeholder="never" /></label>
      <button type="submit" disabled=${busy}>Create key</button>
    </form>
  `;
}

function stateOf({ revoked_at, expires_at }) {
  if (revoked_at !== null) return `revoked ${ago(revoked_at)}`;
  if (expires_at === null) return "never expires";
  return Date.parse(expires_at) > Date.now() ? `valid until ${expires_at.slice(0, 10)}` : "expired";
}
