import { count, euro } from "./format.js";
import { html } from "./html.js";

const boards = [
  { name: "bets", title: "Most bets", show: count },
  { name: "wins", title: "Most wins", show: count },
  { name: "deposits", title: "Largest deposits", show: euro },
];

/** The leading players by bets, wins and deposits. */
export function Leaders({ figures, showsClient }) {
  return html`
    <div class="leaders">
      ${boards.map(({ name, title, show }) => {
        const players = figures[`top_players_${name}`] ?? [];
        const most = players[0]?.count ?? 0;
        return html`
          <section class="card" aria-labelledby=${`top-${name}`} key=${name}>
            <h2 id=${`top-${name}`}>${title}</h2>
            ${players.length === 0 && html`<p class="hint">No ${name} yet.</p>`}
            <ol class="bars">
              ${players.map(
                ({ id, count: value, client_id }) => html`
                  <li key=${`${client_id} ${id}`}>
                    <span>Player ${id}${showsClient && html` <small>${client_id}</small>`}</span>
                    <span class="number">${show(value)}</span>
                    <meter min="0" max=${most} value=${value} aria-hidden="true"></meter>
                  </li>
                `,
              )}
            </ol>
          </section>
        `;
      })}
    </div>
  `;
}
