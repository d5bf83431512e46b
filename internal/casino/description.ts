import { type CasinoEvent, isCustom } from "./event.ts";
import { type GameTitle, gameName } from "./game.ts";
import { formatAmount } from "./money.ts";

const MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];

/**
 * An event as an English sentence, with what is known of it: the player's address when there is a player, the amount in
 * euros when the currency is another one and `amount_eur` is there. The time is UTC without seconds.
 *
 * @param event decoded, so with `created_at` in the form that `parseTimestamp` gives
 * @param titleOf the titles of its client's games; asked only for an event of a game
 * @throws RangeError when the currency of the event is not supported
 */
export function describe(event: CasinoEvent, titleOf: GameTitle): string {
  return `${happening(event, titleOf)} on ${formatMoment(event.created_at)}.`;
}

function happening(event: CasinoEvent, titleOf: GameTitle): string {
  if (isCustom(event)) return `${event.type} event #${event.id}`;
  const email = event.player === undefined ? "" : ` (${event.player.email})`;
  const player = `Player #${event.player_id}${email}`;
  switch (event.type) {
    case "game_start":
      return `${player} started playing a ${gameName(event.game_id, titleOf)}`;
    case "game_stop":
      return `${player} stopped playing a ${gameName(event.game_id, titleOf)}`;
    case "bet":
      return `${player} placed a bet of ${worth(event)} on a ${gameName(event.game_id, titleOf)}`;
    case "deposit":
      return `${player} made a deposit of ${worth(event)}`;
  }
}

interface Worth {
  readonly amount: number;
  readonly currency: string;
  readonly amount_eur?: number;
}

function worth({ amount, currency, amount_eur }: Worth): string {
  const own = `${formatAmount(amount, currency)} ${currency}`;
  if (currency === "EUR" || amount_eur === undefined) return own;
  return `${own} (${formatAmount(amount_eur, "EUR")} EUR)`;
}

function formatMoment(timestamp: string): string {
  const month = MONTHS[Number(timestamp.slice(5, 7)) - 1];
  const day = ordinal(Number(timestamp.slice(8, 10)));
  return `${month} ${day}, ${timestamp.slice(0, 4)} at ${timestamp.slice(11, 16)} UTC`;
}

function ordinal(day: number): string {
  const isTeen = day >= 11 && day <= 13;
  const suffix = isTeen ? undefined : ["th", "st", "nd", "rd"][day % 10];
  return `${day}${suffix ?? "th"}`;
}
