import { ask } from "./api.js";
import { ago, bytes, count } from "./format.js";
import { html } from "./html.js";
import { useEffect, useRef, useState } from "./vendor/hooks.js";

/** One dead letter in a dialog: its error, its payload to be mended, and what may be done with it. */
export function Letter({ seq, onClose, onDone }) {
  const dialog = useRef(null);
  const [letter, setLetter] = useState(null);
  const [text, setText] = useState("");
  const [outcome, setOutcome] = useState(null);
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const [sure, setSure] = useState(false);

  useEffect(() => {
    // Makes the rest of the page inert, keeps the focus within, and gives it back at the end.
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
  /** What is sent in place of the original: nothing unless it was changed, so that the bytes stay as they are. */
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
    onDone(
      how === "replayed" ? `Letter ${seq} was sent again.` : `Letter ${seq} had been sent again before.`,
    );
  });
  const discard = doing(async () => {
    await ask("DELETE", `/dead-letters/${seq}`);
    onDone(`Letter ${seq} was discarded.`);
  });
  return html`
    <dialog ref=${dialog} aria-labelledby="letter" onClose=${onClose}>
      <div class="title"><h2 id="letter">Letter ${seq}</h2><button type="button" onClick=${() => dialog.current.close()}>Close</button></div>
      ${
        letter !== null &&
        html`
          <p><span class="badge bad">${letter.reason}</span> ${letter.step} · ${letter.client_id} · ${letter.source} · ${ago(letter.at)} · ${bytes(letter.bytes)}${letter.replays > 0 && ` · sent again ${letter.replays}×`}</p>
          ${
            letter.errors.length > 0
              ? html`<ul class="errors">${letter.errors.map(({ path, message }) => html`<li key=${path + message}>${path && html`<code>${path}</code> `}${message}</li>`)}</ul>`
              : html`<p>${letter.error}</p>`
          }
          ${
            isText
              ? html`<label for="payload">Event as it came; what you change here is sent in its place</label>
                  <textarea id="payload" rows="12" spellcheck="false" value=${text} onInput=${(event) => {
                    setText(event.target.value);
                    setOutcome(null);
                  }}></textarea>`
              : html`<p class="notice">The payload is no text, ${bytes(letter.bytes)}: it can be sent again as it is, or discarded.</p>`
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
          <button type="button" class="primary" disabled=${busy} onClick=${replay}>Send again</button>
          ${
            sure
              ? html`<button type="button" class="danger" disabled=${busy} onClick=${discard}>Discard it for good</button><button type="button" onClick=${() => setSure(false)}>Keep it</button>`
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

/** JSON with a line a member; as it is what is none, or would come out as something else, such as numbers that are too large. */
function pretty(payload) {
  try {
    const value = JSON.parse(payload);
    return JSON.stringify(value) === payload.trim() ? JSON.stringify(value, null, 2) : payload;
  } catch {
    return payload;
  }
}
