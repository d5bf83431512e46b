import { ask } from "./api.js";
import { ago, count } from "./format.js";
import { html } from "./html.js";
import { Letter } from "./letter.js";
import { useEffect, useState } from "./vendor/hooks.js";

const page = 50;

/** Dead letters by reason, to inspect, correct, replay and discard. */
export function DeadLetters({ holder, frame }) {
  const [filter, setFilter] = useState({});
  const [listed, setListed] = useState(null);
  const [problem, setProblem] = useState("");
  const [said, setSaid] = useState("");
  const [open, setOpen] = useState(null);
  const isOperator = holder.role === "operator";
  const there = frame?.letters ?? frame?.picture?.letters;

  const load = async (cursor) => {
    const query = new URLSearchParams({
      ...filter,
      limit: page,
      ...(cursor ? { cursor } : { groups: true }),
    });
    try {
      const answer = await ask("GET", `/dead-letters?${query}`);
      setProblem("");
      setListed((known) =>
        cursor === undefined || known === null
          ? answer
          : { ...known, ...answer, dead_letters: [...known.dead_letters, ...answer.dead_letters] },
      );
    } catch (error) {
      setProblem(error.message);
    }
  };
  // Also when their number changes: others may replay them, or more may come.
  useEffect(() => void load(), [filter, there]);

  const done = (sentence) => {
    setOpen(null);
    setSaid(sentence);
    void load();
  };
  const groups = listed?.groups ?? [];
  return html`
    <section class="card" aria-labelledby="letters">
      <h2 id="letters">Dead letters</h2>
      <p class="hint">Events that can never succeed as they are. Correct the event or the cause, then replay it: it keeps its client, source and id.</p>
      <div role="status">${said && html`<p class="notice good">${said}</p>`}</div>
      ${problem && html`<p class="notice bad" role="alert">${problem}</p>`}
      ${
        Object.keys(filter).length > 0 &&
        html`<p class="controls">
          <span>Filter: ${Object.values(filter).join(" · ")}</span>
          <button type="button" onClick=${() => setFilter({})}>Show all dead letters</button>
          <${ReplayAll} filter=${filter} onDone=${done} />
        </p>`
      }
      ${
        Object.keys(filter).length === 0 &&
        groups.length > 0 &&
        html`<ul class="groups" aria-label="By reason">
          ${groups.map(
            ({ reason, step, client_id, count: number }) => html`
              <li key=${`${reason} ${step} ${client_id}`}>
                <button type="button" onClick=${() => setFilter({ reason, step, ...(isOperator && { client_id }) })}>
                  <strong>${count(number)}</strong> ${reason} <small>${step}${isOperator && ` · ${client_id}`}</small>
                </button>
              </li>
            `,
          )}
        </ul>`
      }
      ${listed === null && problem === "" && html`<p class="waiting" role="status">Loading…</p>`}
      ${listed?.dead_letters.length === 0 && html`<p class="waiting">${Object.keys(filter).length > 0 ? "No dead letters match." : "No dead letters. Events that fail for good appear here."}</p>`}
      ${listed?.dead_letters.length > 0 && html`<${List} letters=${listed.dead_letters} isOperator=${isOperator} onOpen=${setOpen} />`}
      ${listed?.next_cursor && html`<p><button type="button" onClick=${() => load(listed.next_cursor)}>Show more</button></p>`}
    </section>
    ${open !== null && html`<${Letter} seq=${open} key=${open} onClose=${() => setOpen(null)} onDone=${done} />`}
  `;
}

function List({ letters, isOperator, onOpen }) {
  return html`
    <div class="scroll tall" tabindex="0" role="group" aria-labelledby="letters">
      <table class="letters">
        <thead>
          <tr>
            <th scope="col">letter</th><th scope="col">when</th><th scope="col">reason</th><th scope="col">step</th>
            ${isOperator && html`<th scope="col">client</th>`}<th scope="col">error</th>
          </tr>
        </thead>
        <tbody>
          ${letters.map(
            ({ seq, at, reason, step, client_id, error, replays }) => html`
              <tr key=${seq}>
                <th scope="row"><button type="button" onClick=${() => onOpen(seq)} aria-label=${`Open letter ${seq}`}>${seq}</button></th>
                <td>${ago(at)}</td>
                <td><span class="badge bad">${reason}</span>${replays > 0 && html` <small>replayed ${replays}×</small>`}</td>
                <td>${step}</td>
                ${isOperator && html`<td>${client_id}</td>`}
                <td class="error">${error}</td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
  `;
}

/** Replays all matching letters, after a dry run. */
function ReplayAll({ filter, onDone }) {
  const [outlook, setOutlook] = useState(null);
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const doing = async (work) => {
    setBusy(true);
    setProblem("");
    try {
      await work();
    } catch (error) {
      setProblem(error.message);
    }
    setBusy(false);
  };
  const look = () =>
    doing(async () => setOutlook(await ask("POST", "/dead-letters/replay", { ...filter, dry_run: true })));
  const send = () =>
    doing(async () => {
      const { replayed, failed, more } = await ask("POST", "/dead-letters/replay", filter);
      const rest = more ? " More letters match: replay again for the next ones." : "";
      onDone(
        `${count(replayed)} replayed${failed.length > 0 ? `, ${count(failed.length)} could not be replayed` : ""}.${rest}`,
      );
    });
  if (problem !== "") return html`<span class="notice bad" role="alert">${problem}</span>`;
  if (outlook === null)
    return html`<button type="button" disabled=${busy} onClick=${look}>Replay all…</button>`;
  const { pass, perhaps_pass: perhaps, fail } = outlook;
  return html`
    <span role="status">Dry run: ${count(pass)} would pass, ${count(perhaps)} may pass, ${count(fail)} would fail again.</span>
    <button type="button" class="primary" disabled=${busy} onClick=${send}>Replay them</button>
    <button type="button" onClick=${() => setOutlook(null)}>Cancel</button>
  `;
}
