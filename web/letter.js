import { ask } from "./api.js";
import { ago, bytes, count } from "./format.js";
import { html } from "./html.js";
import { useEffect, useRef, useState } from "./vendor/hooks.js";

/** A dialog with one dead letter: its error, its payload to correct, and the actions. */
export function Letter({ seq, onClose, onDone }) {
  const dialog = useRef(null);
  const [letter, setLetter] = useState(null);
  const [text, setText] = useState("");
  const [outcome, setOutcome] = useState(null);
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const [sure, setSure] = useState(false);

  useEffect(() => {
    // A modal makes the rest of the page inert, keeps the focus inside, and returns it when it closes.
    dialog.current.showModal();
    ask("GET", `/dead-letters/${seq}`).then(
      (found) => {
        setLetter(found);
        setText(found.payload_encoding === "utf-8" ? pretty(found.payload) : "");
      },
      (error) => setProblem(error.message),
    );
  }, []);

  const isText = letter?.payload_encoding === "utf-8";
  /** The payload that replaces the original; undefined if it was not changed, so that the original bytes are sent. */
  const edited = () => (isText && text !== pretty(letter.payload) ? text : undefined);
  const doing = (work) => async () => {
    setBusy(true);
    setProblem("");
    setOutcome(null);
    try {
      await work();
    } catch (error) {
      setProblem(error.message);
    }
    setBusy(false);
  };
  const dryRun = doing(async () =>
    setOutcome(await ask("POST", `/dead-letters/${seq}/replay?dry_run=true`, edited())),
  );
  const replay = doing(async () => {
    const { outcome: how } = await ask("POST", `/dead-letters/${seq}/replay`, edited());
    onDone(how === "replayed" ? `Letter ${seq} was replayed.` : `Letter ${seq} had already been replayed.`);
  });
  const discard = doing(async () => {
    await ask("DELETE", `/dead-letters/${seq}`);
    onDone(`Letter ${seq} was discarded.`);
  });
  return html`
    <dialog ref=${dialog} aria-labelledby="letter" onClose=${onClose}>
      <div class="title"><h2 id="letter">Dead letter ${seq}</h2><button type="button" onClick=${() => dialog.current.close()}>Close</button></div>
      ${
        letter !== null &&
        html`
          <p><span class="badge bad">${letter.reason}</span> ${letter.step} · ${letter.client_id} · ${letter.source} · ${ago(letter.at)} · ${bytes(letter.bytes)}${letter.replays > 0 && ` · replayed ${letter.replays}×`}</p>
          ${
            letter.errors.length > 0
              ? html`<ul class="errors">${letter.errors.map(({ path, message }) => html`<li key=${path + message}>${path && html`<code>${path}</code> `}${message}</li>`)}</ul>`
              : html`<p>${letter.error}</p>`
          }
          ${
            isText
              ? html`<label for="payload">Payload. If you change it, the replay sends your version.</label>
                  <textarea id="payload" rows="12" spellcheck="false" value=${text} onInput=${(event) => {
                    setText(event.target.value);
                    setOutcome(null);
                  }}></textarea>`
              : html`<p class="notice">The payload is not text (${bytes(letter.bytes)}). You can replay it unchanged, or discard it.</p>`
          }
          <details><summary>${count(Object.keys(letter.headers).length)} headers</summary>
            <dl class="headers">${Object.entries(letter.headers).map(([name, value]) => html`<div key=${name}><dt class="hint">${name}</dt><dd class="header-value">${value}</dd></div>`)}</dl>
          </details>
        `
      }
      <div role="status">${outcome !== null && html`<p class=${`notice ${outcome.would === "pass" ? "good" : outcome.would === "fail" ? "bad" : ""}`}>${says(outcome)}</p>`}</div>
      ${problem && html`<p class="notice bad" role="alert">${problem}</p>`}
      ${
        letter !== null &&
        html`<div class="controls">
          <button type="button" disabled=${busy} onClick=${dryRun}>Dry run</button>
          <button type="button" class="primary" disabled=${busy} onClick=${replay}>Replay</button>
          ${
            sure
              ? html`<button type="button" class="danger" disabled=${busy} onClick=${discard}>Discard for good</button><button type="button" onClick=${() => setSure(false)}>Cancel</button>`
              : html`<button type="button" class="danger" disabled=${busy} onClick=${() => setSure(true)}>Discard…</button>`
          }
        </div>`
      }
    </dialog>
  `;
}

function says({ would, because }) {
  if (would === "pass") return "It would pass now.";
  return would === "fail" ? `It would fail: ${because}` : `It may pass: ${because}`;
}

/** Indented JSON. Unchanged if it is not JSON, or would not survive parsing, such as numbers that are too large. */
function pretty(payload) {
  try {
    const value = JSON.parse(payload);
    return JSON.stringify(value) === payload.trim() ? JSON.stringify(value, null, 2) : payload;
  } catch {
    return payload;
  }
}
