import fc from "fast-check";
import type { BetEvent, CasinoEvent, CustomEvent, DepositEvent, GameEvent } from "./event.ts";
import { isCasinoType } from "./event.ts";
import { isStorableText } from "./storable.ts";

/** Random events for property tests: with and without what the steps add. */

export const anyIdentifier = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
export const anyAmount = fc.oneof(fc.nat(100_000), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }));
export const anyTimestamp = fc
  .date({
    min: new Date("0000-01-01T00:00:00.000Z"),
    max: new Date("9999-12-31T23:59:59.999Z"),
    noInvalidDate: true,
  })
  .map((date) => date.toISOString());
const anyText = fc.string({ unit: "binary" }).filter(isStorableText);
const anyData = fc
  .dictionary(anyText, fc.jsonValue({ stringUnit: "binary" }))
  .map((data) => JSON.stringify(data))
  .filter((text) => !text.includes("\\u0000") && !/\\ud[89a-f]/i.test(text))
  // Through JSON, which has only one zero and no inherited keys.
  .map((text): Record<string, unknown> => JSON.parse(text));

const always = { id: anyIdentifier, created_at: anyTimestamp };
const added = {
  player: fc.record(
    { email: anyText, last_signed_in_at: fc.option(anyTimestamp) },
    { noNullPrototype: true },
  ),
  description: anyText,
};
const addedToMoney = { ...added, amount_eur: anyAmount };
const game = { ...always, player_id: anyIdentifier, game_id: anyIdentifier };
const money = {
  ...always,
  player_id: anyIdentifier,
  amount: anyAmount,
  currency: fc.constantFrom("EUR", "USD", "JPY", "KWD", "BTC"),
};
export const anyGame: fc.Arbitrary<GameEvent> = fc.record(
  { ...game, type: fc.constantFrom("game_start" as const, "game_stop" as const), ...added },
  { requiredKeys: ["id", "created_at", "player_id", "game_id", "type"], noNullPrototype: true },
);
const anyBet: fc.Arbitrary<BetEvent> = fc.record(
  {
    ...money,
    game_id: anyIdentifier,
    type: fc.constant("bet" as const),
    has_won: fc.boolean(),
    ...addedToMoney,
  },
  {
    requiredKeys: ["id", "created_at", "player_id", "game_id", "type", "amount", "currency", "has_won"],
    noNullPrototype: true,
  },
);
const anyDeposit: fc.Arbitrary<DepositEvent> = fc.record(
  { ...money, type: fc.constant("deposit" as const), ...addedToMoney },
  { requiredKeys: ["id", "created_at", "player_id", "type", "amount", "currency"], noNullPrototype: true },
);
export const anyCustom: fc.Arbitrary<CustomEvent> = fc.record(
  {
    ...always,
    type: fc.stringMatching(/^[a-z0-9_-]{1,40}$/).filter((type) => !isCasinoType(type)),
    data: anyData,
    ...added,
  },
  { requiredKeys: ["id", "created_at", "type", "data"], noNullPrototype: true },
);
export const anyEvent: fc.Arbitrary<CasinoEvent> = fc.oneof(anyGame, anyBet, anyDeposit, anyCustom);
