import type { Static } from "typebox";
import type { BetEvent, CasinoType, CustomEvent, DepositEvent, GameEvent, Player } from "./event.ts";
import type { FieldError } from "./field-error.ts";
import { type Reader, reader, timestamp } from "./reader.ts";
import { enrichedSchemas, rawSchemas } from "./schema.ts";
import { isStorableText, textError } from "./storable.ts";

/** The readers of one form of the events, by type. */
export type Readers = Readonly<Record<CasinoType | "custom", Reader>>;

type Draft<T> = { -readonly [K in keyof T]: T[K] };
type RawGame = Static<typeof rawSchemas.game>;
type RawBet = Static<typeof rawSchemas.bet>;
type RawDeposit = Static<typeof rawSchemas.deposit>;
type RawCustom = Static<typeof rawSchemas.custom>;

const game = ({ id, player_id, game_id, type }: RawGame, created_at: string): Draft<GameEvent> => {
  return { id, player_id, game_id, type, created_at };
};

const bet = (value: RawBet, created_at: string): Draft<BetEvent> => {
  const { id, player_id, game_id, type, currency, has_won = false } = value;
  return { id, player_id, game_id, type, amount: amountOf(value), currency, has_won, created_at };
};

const deposit = (value: RawDeposit, created_at: string): Draft<DepositEvent> => {
  const { id, player_id, type, currency } = value;
  return { id, player_id, type, amount: amountOf(value), currency, created_at };
};

const custom = ({ id, type, data }: RawCustom, created_at: string): Draft<CustomEvent> => {
  return { id, type, created_at, data };
};

// JSON knows a -0, which its own encoding does not give back.
const amountOf = ({ amount = 0 }: { amount?: number }): number => (amount === 0 ? 0 : amount);

type Added = Static<typeof enrichedSchemas.game>;

function keepAdded<E extends { player?: Player; description?: string }>(
  event: E,
  { player, description }: Pick<Added, "player" | "description">,
  errors: FieldError[],
): E {
  if (player !== undefined) {
    const { email, last_signed_in_at: at } = player;
    checkText(email, "/player/email", errors);
    const last_signed_in_at = at === null ? null : timestamp(at, "/player/last_signed_in_at", errors);
    event.player = { email, last_signed_in_at };
  }
  if (description !== undefined) {
    checkText(description, "/description", errors);
    event.description = description;
  }
  return event;
}

function keepAmountEur<E extends { amount_eur?: number }>(
  event: E,
  { amount_eur }: { amount_eur?: number },
): E {
  if (amount_eur !== undefined) event.amount_eur = amount_eur === 0 ? 0 : amount_eur;
  return event;
}

function checkText(text: string, path: string, errors: FieldError[]): void {
  if (!isStorableText(text)) errors.push(textError(path));
}

const rawGame = reader(rawSchemas.game, game);

/** How producers send events: amounts and wins may be absent, what the steps add is not looked at. */
export const rawReaders: Readers = {
  game_start: rawGame,
  game_stop: rawGame,
  bet: reader(rawSchemas.bet, bet),
  deposit: reader(rawSchemas.deposit, deposit),
  custom: reader(rawSchemas.custom, custom),
};

const enrichedGame = reader(enrichedSchemas.game, (value, at, errors) =>
  keepAdded(game(value, at), value, errors),
);

/** How events travel between the steps and after the last: complete, with what the steps have added so far. */
export const enrichedReaders: Readers = {
  game_start: enrichedGame,
  game_stop: enrichedGame,
  bet: reader(enrichedSchemas.bet, (value, at, errors) =>
    keepAdded(keepAmountEur(bet(value, at), value), value, errors),
  ),
  deposit: reader(enrichedSchemas.deposit, (value, at, errors) =>
    keepAdded(keepAmountEur(deposit(value, at), value), value, errors),
  ),
  custom: reader(enrichedSchemas.custom, (value, at, errors) => keepAdded(custom(value, at), value, errors)),
};
