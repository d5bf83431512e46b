import { html } from "./html.js";
import { useRef } from "./vendor/hooks.js";

/** Asks for an API key and exchanges it for a session's cookie; the page does not keep the key. */
export function SignIn({ problem, onKey }) {
  const input = useRef(null);
  const submit = (event) => {
    event.preventDefault();
    onKey(input.current.value.trim());
  };
  return html`
    <main class="sign-in">
      <img src="/web/icon.svg" alt="" width="56" height="56" />
      <h1>Croupier</h1>
      <form onSubmit=${submit}>
        ${problem && html`<p class="notice bad" role="alert">${problem}</p>`}
        <label for="key">API key</label>
        <input id="key" ref=${input} type="password" autocomplete="off" required placeholder="cr_…" spellcheck="false" autofocus />
        <button type="submit" class="primary">Sign in</button>
        <p class="hint">
          An operator's key shows everything, a client's key only that client's data. Without a key, open the link that${" "}
          <code>npm run up</code> prints, or create a link with <code>npm run clients -- sign-in</code>.
        </p>
      </form>
    </main>
  `;
}
