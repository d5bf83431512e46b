import { ask } from "./api.js";
import { ago } from "./format.js";
import { html } from "./html.js";
import { Sure } from "./sure.js";
import { useAsked } from "./use-asked.js";
import { useEffect, useRef, useState } from "./vendor/hooks.js";

const empty = { type: "", client_id: null, schema: { type: "object", properties: {} } };

/** Custom event types with the schemas of their data. */
export function EventTypes({ isOperator, clients }) {
  const { answer, problem, doing, busy } = useAsked("/dashboard/event-types");
  const [edited, setEdited] = useState(null);
  const pathOf = ({ type, client_id }) =>
    `/dashboard/event-types/${encodeURIComponent(type)}${client_id ? `?client_id=${encodeURIComponent(client_id)}` : ""}`;
  return html`
    <section class="card" aria-labelledby="types">
      <h2 id="types">Event types</h2>
      <p class="hint">In addition to game_start, game_stop, bet and deposit. Changes take effect within seconds.</p>
      ${problem && html`<p class="notice bad" role="alert">${problem}</p>`}
      ${answer?.event_types.length === 0 && html`<p class="hint">No custom event types yet.</p>`}
      ${
        answer?.event_types.length > 0 &&
        html`<div class="scroll" tabindex="0" role="group" aria-labelledby="types"><table>
          <thead><tr><th scope="col">type</th><th scope="col">client</th><th scope="col">changed</th><th scope="col"><span class="visually-hidden">actions</span></th></tr></thead>
          <tbody>
            ${answer.event_types.map(
              (one) => html`
                <tr key=${`${one.type} ${one.client_id}`}>
                  <th scope="row">${one.type}</th><td>${one.client_id ?? "all"}</td><td>${ago(one.updated_at)}</td>
                  <td>
                    <button type="button" aria-label=${`Schema of ${one.type}`} onClick=${() => setEdited(one)}>Schema</button>${" "}
                    ${isOperator && html`<${Sure} name="Remove" about=${one.type} sentence="Its events will become dead letters." disabled=${busy} onSure=${() => doing(() => ask("DELETE", pathOf(one)))} />`}
                  </td>
                </tr>
              `,
            )}
          </tbody>
        </table></div>`
      }
      ${isOperator && html`<p><button type="button" onClick=${() => setEdited(empty)}>Register an event type</button></p>`}
      ${
        edited !== null &&
        html`<${Schema} one=${edited} isOperator=${isOperator} clients=${clients} onClose=${() => setEdited(null)} onSaved=${() => {
          setEdited(null);
          void doing(async () => undefined);
        }} />`
      }
    </section>
  `;
}

function Schema({ one, isOperator, clients, onClose, onSaved }) {
  const dialog = useRef(null);
  const form = useRef(null);
  const [problem, setProblem] = useState("");
  useEffect(() => dialog.current.showModal(), []);
  const save = async (event) => {
    event.preventDefault();
    const {
      type = one.type,
      client_id = one.client_id,
      text,
    } = Object.fromEntries(new FormData(form.current));
    try {
      const schema = JSON.parse(text);
      await ask("PUT", `/dashboard/event-types/${encodeURIComponent(type)}`, {
        schema,
        ...(client_id && { client_id }),
      });
      onSaved();
    } catch (error) {
      setProblem(error.message);
    }
  };
  const isNew = one.type === "";
  return html`
    <dialog ref=${dialog} aria-labelledby="schema" onClose=${onClose}>
      <div class="title"><h2 id="schema">${isNew ? "New event type" : `Event type ${one.type}`}</h2><button type="button" onClick=${() => dialog.current.close()}>Close</button></div>
      <form ref=${form} class="stack" onSubmit=${save}>
        ${
          isNew &&
          html`<div class="controls">
            <label>Type <input name="type" required /></label>
            <label>Client <select name="client_id"><option value="">all</option>${clients.map((id) => html`<option value=${id} key=${id}>${id}</option>`)}</select></label>
          </div>`
        }
        <label for="schema-text">JSON Schema of its data</label>
        <textarea id="schema-text" name="text" rows="14" spellcheck="false" readonly=${!isOperator}>${JSON.stringify(one.schema, null, 2)}</textarea>
        ${problem && html`<p class="notice bad" role="alert">${problem}</p>`}
        ${isOperator && html`<div class="controls"><button type="submit" class="primary">Save</button></div>`}
      </form>
    </dialog>
  `;
}
