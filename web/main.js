import { ask, whenEnded } from "./api.js";
import { Dashboard } from "./dashboard.js";
import { html } from "./html.js";
import { SignIn } from "./sign-in.js";
import { applyTheme } from "./theme.js";
import { useEffect, useState } from "./vendor/hooks.js";
import { render } from "./vendor/preact.js";

applyTheme();

/** Takes the sign-in code from the fragment, and removes it from the address bar and the history. */
function takeCode() {
  const [, code] = /^#code=([\w-]+)$/.exec(location.hash) ?? [];
  if (code !== undefined) history.replaceState(null, "", location.pathname);
  return code;
}

const given = takeCode();

function App() {
  const [holder, setHolder] = useState(undefined);
  const [problem, setProblem] = useState("");
  const signIn = async (credentials) => {
    setProblem("");
    try {
      setHolder(await ask("POST", "/dashboard/session", credentials));
    } catch (error) {
      setProblem(error.message);
      setHolder(null);
    }
  };
  const end = () => {
    setProblem("Your session has ended. Sign in again.");
    setHolder(null);
  };
  useEffect(() => {
    whenEnded(end);
    if (given !== undefined) void signIn({ code: given });
    else
      ask("GET", "/dashboard/session").then(setHolder, (error) => {
        if (error.status !== 401) setProblem(error.message);
        setHolder(null);
      });
  }, []);
  if (holder === undefined) return html`<p class="waiting" role="status">Connecting…</p>`;
  if (holder === null) return html`<${SignIn} problem=${problem} onKey=${(key) => signIn({ key })} />`;
  const signOut = async () => {
    await ask("DELETE", "/dashboard/session").catch(() => undefined);
    setHolder(null);
  };
  return html`<${Dashboard} holder=${holder} onSignOut=${signOut} onEnded=${end} />`;
}

render(html`<${App} />`, document.getElementById("app"));
