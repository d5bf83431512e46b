import { DeadLetters } from "./dead-letters.js";
import { Deliveries } from "./deliveries.js";
import { clock } from "./format.js";
import { html } from "./html.js";
import { openStream } from "./live.js";
import { Overview } from "./overview.js";
import { Setup } from "./setup.js";
import { isDark, switchTheme } from "./theme.js";
import { useEffect, useState } from "./vendor/hooks.js";

/** The views by their address, `#/<place>`. */
const views = [
  { place: "", title: "Overview", view: Overview },
  { place: "dead-letters", title: "Dead letters", view: DeadLetters },
  { place: "deliveries", title: "Deliveries", view: Deliveries },
  { place: "setup", title: "Setup", view: Setup },
];

const placeNow = () => /^#\/([\w-]+)/.exec(location.hash)?.[1] ?? "";

/** The page after signing in: header and the chosen view, with the data of the stream. */
export function Dashboard({ holder, onSignOut, onEnded }) {
  const [place, setPlace] = useState(placeNow());
  const [state, setState] = useState("connecting");
  const [frame, setFrame] = useState(null);
  const [history, setHistory] = useState(null);
  const [tail, setTail] = useState([]);
  const [query, setQuery] = useState("");

  useEffect(() => {
    const move = () => setPlace(placeNow());
    addEventListener("hashchange", move);
    return () => removeEventListener("hashchange", move);
  }, []);
  useEffect(
    () =>
      openStream(query, {
        state: setState,
        ended: onEnded,
        history: ({ until, rates }) => setHistory({ until, rates }),
        frame: (next) => {
          setFrame(next);
          setHistory((known) => append(known, next));
        },
        tail: (events) => setTail((known) => [...stamped(events), ...known].slice(0, 200)),
      }),
    [query],
  );

  const current = views.find((one) => one.place === place) ?? views[0];
  useEffect(() => {
    document.title = place === "" ? "Croupier" : `${current.title} · Croupier`;
  }, [place]);
  return html`
    <a class="skip" href="#main" onClick=${toMain}>Skip to content</a>
    <${Header} current=${current} holder=${holder} state=${state} letters=${lettersOf(frame)} onSignOut=${onSignOut} />
    <main id="main" tabindex="-1">
      <h1 class="visually-hidden">${current.title}</h1>
      ${state === "lost" && html`<p class="notice bad" role="alert">The gateway does not answer${frame && `: this is the state of ${clock(new Date(frame.at))}`}. The page retries every few seconds. If that does not help, check the gateway's log.</p>`}
      <${current.view} holder=${holder} frame=${frame} history=${history} tail=${tail} onTail=${setQuery} />
    </main>
  `;
}

function Header({ current, holder, state, letters, onSignOut }) {
  const [dark, setDark] = useState(isDark());
  const toggle = () => {
    switchTheme();
    setDark(isDark());
  };
  const says = { live: "live", connecting: "connecting", lost: "disconnected" }[state];
  return html`
    <header>
      <a class="brand" href="#/"><img src="/web/icon.svg" alt="" width="26" height="26" />Croupier</a>
      <nav aria-label="Views">
        ${views.map(
          ({ place, title }) => html`
            <a href=${`#/${place}`} aria-current=${current.place === place ? "page" : undefined}>
              ${title}${place === "dead-letters" && letters > 0 && html` <span class="badge bad">${letters}</span>`}
            </a>
          `,
        )}
      </nav>
      <div class="who">
        <span class=${`state ${state}`} role="status">${says}</span>
        <span class="role">${holder.client_id ?? "operator"}</span>
        <button type="button" onClick=${toggle} aria-pressed=${dark}>Dark</button>
        <button type="button" onClick=${onSignOut}>Sign out</button>
      </div>
    </header>
  `;
}

const lettersOf = (frame) => frame?.letters ?? frame?.picture?.letters ?? 0;

/** The fragment selects the view, so a link within the page must not change it. */
function toMain(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

let read = 0;
const stamped = (events) => events.map((one) => ({ ...one, at: new Date(), key: ++read })).reverse();

/** The history with this frame's second at its end. */
function append(known, { second, rate }) {
  if (known === null) return known;
  const gap = Math.min(second - known.until, known.rates.length);
  if (gap < 0) return known;
  if (gap === 0) return { ...known, rates: [...known.rates.slice(0, -1), rate] };
  return { until: second, rates: [...known.rates.slice(gap), ...Array(gap - 1).fill(null), rate] };
}
