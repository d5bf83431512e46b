import { clock } from "./format.js";
import { html } from "./html.js";
import { useEffect, useState } from "./vendor/hooks.js";

const types = ["game_start", "game_stop", "bet", "deposit"];

/**
 * Final events as they come, a sample if there are many. The gateway filters by client and type, the page by text.
 */
export function Tail({ events, clients, onQuery }) {
  const [isOn, setOn] = useState(false);
  const [client, setClient] = useState("");
  const [type, setType] = useState("");
  // The unfinished input, which each frame's rendering would otherwise reset.
  const [typed, setTyped] = useState("");
  const [text, setText] = useState("");
  const [held, setHeld] = useState(null);

  useEffect(() => {
    const query = new URLSearchParams({ ...(client && { client_id: client }), ...(type && { type }) });
    if (isOn) query.set("tail", "true");
    onQuery(isOn ? `?${query}` : "");
  }, [isOn, client, type]);
  useEffect(() => () => onQuery(""), []);

  const isWanted = ({ client: of, event }) =>
    (client === "" || of === client) &&
    (type === "" || event.type === type) &&
    (text === "" || JSON.stringify(event).toLowerCase().includes(text.toLowerCase()));
  const shown = (held ?? events).filter(isWanted).slice(0, 50);
  return html`
    <section class="card" aria-labelledby="tail">
      <h2 id="tail">Live events</h2>
      <div class="controls">
        <button type="button" class=${isOn ? "" : "primary"} onClick=${() => {
          setOn(!isOn);
          setHeld(null);
        }}>${isOn ? "Stop" : "Watch events"}</button>
        <button type="button" disabled=${!isOn} aria-pressed=${held !== null} onClick=${() => setHeld(held === null ? events : null)}>Pause</button>
        ${
          clients !== null &&
          html`<label>Client
            <select value=${client} onChange=${(event) => setClient(event.target.value)}>
              <option value="">all</option>
              ${clients.map((id) => html`<option value=${id} key=${id}>${id}</option>`)}
            </select></label>`
        }
        <label>Type
          <input list="types" value=${typed} placeholder="all" size="14" pattern=${"[a-z0-9_\\-]{1,40}"}
            onInput=${(event) => setTyped(event.target.value)}
            onChange=${(event) => event.target.checkValidity() && setType(event.target.value)} />
          <datalist id="types">${types.map((name) => html`<option value=${name} key=${name} />`)}</datalist>
        </label>
        <label>Text <input value=${text} placeholder="player, game, amount…" onInput=${(event) => setText(event.target.value)} /></label>
      </div>
      ${
        shown.length === 0
          ? html`<p class="hint">${isOn ? "No matching event yet." : 'Choose "Watch events" to see final events as they come.'}</p>`
          : html`<ul class="tail">
              ${shown.map(
                ({ key, at, client: of, event }) => html`
                  <li key=${key}>
                    <time>${clock(at)}</time>
                    <span class="badge">${event.type}</span>
                    ${clients !== null && html`<span class="of">${of}</span>`}
                    <span class="sentence">${event.description}</span>
                  </li>
                `,
              )}
            </ul>`
      }
    </section>
  `;
}
