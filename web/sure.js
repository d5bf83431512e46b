import { html } from "./html.js";
import { useState } from "./vendor/hooks.js";

/** A button for something that cannot be undone: it asks for confirmation in its place. */
export function Sure({ name, about, sentence, disabled = false, onSure }) {
  const [asked, setAsked] = useState(false);
  if (!asked)
    return html`<button type="button" class="danger" disabled=${disabled} aria-label=${`${name} ${about}`} onClick=${() => setAsked(true)}>${name}…</button>`;
  const sure = () => {
    setAsked(false);
    onSure();
  };
  return html`
    <span role="status">${sentence}</span>${" "}
    <button type="button" class="danger" aria-label=${`${name} ${about} for good`} onClick=${sure}>${name}</button>${" "}
    <button type="button" onClick=${() => setAsked(false)}>Cancel</button>
  `;
}
