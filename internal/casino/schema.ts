import { Type } from "typebox";
import { type CasinoType, EVENT_TYPE_PATTERN } from "./event.ts";

const identifier = (description: string) =>
  Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description });
const amount = (options: { description: string; default?: number }) =>
  Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, ...options });
const type = <T extends CasinoType>(...types: T[]) => Type.Unsafe<T>({ type: "string", enum: types });

const SMALLEST_UNIT = "in the smallest unit of the currency: 300 is 3.00 EUR, 1 is 0.00000001 BTC";

const id = identifier("unique within one client and source");
const playerId = identifier("unique within one client");
const gameId = identifier("the game played");
const customType = Type.String({ pattern: EVENT_TYPE_PATTERN, description: "a registered custom type" });
const currency = Type.String({ pattern: "^[A-Z]{3}$", description: "ISO 4217, or BTC" });
const createdAt = Type.String({
  format: "date-time",
  description: "RFC 3339; written as UTC with milliseconds",
});
const data = Type.Unsafe<Record<string, unknown>>({
  type: "object",
  description: "valid against the JSON Schema of the type",
});

const game = {
  id,
  player_id: playerId,
  game_id: gameId,
  type: type("game_start", "game_stop"),
  created_at: createdAt,
};
const deposit = {
  id,
  player_id: playerId,
  type: type("deposit"),
  amount: amount({ description: SMALLEST_UNIT }),
  currency,
  created_at: createdAt,
};
const bet = {
  ...deposit,
  game_id: gameId,
  type: type("bet"),
  has_won: Type.Boolean({ description: "whether the player won the bet" }),
};
const custom = { id, type: customType, created_at: createdAt, data };

/** Some producers leave out zero amounts and `has_won: false`. */
const absentInRaw = {
  amount: Type.Optional(amount({ description: SMALLEST_UNIT, default: 0 })),
  has_won: Type.Optional(Type.Boolean({ description: "whether the player won the bet", default: false })),
};

const added = {
  player: Type.Optional(
    Type.Object({
      email: Type.String(),
      last_signed_in_at: Type.Unsafe<string | null>({ type: ["string", "null"], format: "date-time" }),
    }),
  ),
  description: Type.Optional(Type.String({ description: "the event as an English sentence" })),
};
const addedToMoney = { amount_eur: Type.Optional(amount({ description: "euro cents" })), ...added };

/** What holds of every event, whatever its type. */
export const anySchema = Type.Object({ id, type: customType, created_at: createdAt });

/** The events as producers send them, by kind. Keys that are not named are ignored. */
export const rawSchemas = {
  game: Type.Object(game),
  bet: Type.Object({ ...bet, ...absentInRaw }),
  deposit: Type.Object({ ...deposit, amount: absentInRaw.amount }),
  custom: Type.Object(custom),
};

/** The events between the steps and after the last, by kind. Keys that are not named are ignored. */
export const enrichedSchemas = {
  game: Type.Object({ ...game, ...added }),
  bet: Type.Object({ ...bet, ...addedToMoney }),
  deposit: Type.Object({ ...deposit, ...addedToMoney }),
  custom: Type.Object({ ...custom, ...added }),
};
