import { describe, expect, expectTypeOf, it } from "vitest";
import {
  type BetEvent,
  type CasinoEvent,
  type CustomEvent,
  casinoTypes,
  type DepositEvent,
  isCasinoType,
  isClient,
  isCustom,
  isEventType,
  isMoney,
  isSource,
} from "./event.ts";

describe("the slugs", () => {
  const longest = "a".repeat(40);
  it.each(["casino", "a", "my-casino-2", "-", longest])("%j can name a client", (text) =>
    expect(isClient(text)).toBe(true),
  );
  it.each(["", "Casino", "my_casino", "a.b", "*", ">", "a b", "casino\n", "é", `${longest}a`])(
    "%j cannot name a client",
    (text) => expect(isClient(text)).toBe(false),
  );
  it.each(["bet", "game_start", "free-spin_2", longest])("%j can name a type", (text) =>
    expect(isEventType(text)).toBe(true),
  );
  it.each(["", "Bet", "a.b", "*", "bet\n", `${longest}a`])("%j cannot name a type", (text) =>
    expect(isEventType(text)).toBe(false),
  );
  it.each(["nats", "Generator-1.2_3", "a".repeat(64)])("%j can name a source", (text) =>
    expect(isSource(text)).toBe(true),
  );
  it.each(["", "a:b", "a b", "nats\n", "a".repeat(65)])("%j cannot name a source", (text) =>
    expect(isSource(text)).toBe(false),
  );
});

describe("the kinds", () => {
  it.each(casinoTypes)("%s is a casino type", (type) => expect(isCasinoType(type)).toBe(true));
  it.each(["login", "Bet", "constructor", "__proto__"])("%s is none", (type) =>
    expect(isCasinoType(type)).toBe(false),
  );

  it("are told apart", () => {
    const created_at = "2022-01-10T12:34:56.000Z";
    const custom: CasinoEvent = { id: 1, type: "login", created_at, data: {} };
    const game: CasinoEvent = { id: 1, type: "game_stop", player_id: 1, game_id: 1, created_at };
    const money = { id: 1, player_id: 1, amount: 1, currency: "EUR", created_at };
    const bet: CasinoEvent = { ...money, type: "bet", game_id: 1, has_won: true };
    const deposit: CasinoEvent = { ...money, type: "deposit" };
    expect([custom, game, bet, deposit].map(isCustom)).toEqual([true, false, false, false]);
    expect([custom, game, bet, deposit].map(isMoney)).toEqual([false, false, true, true]);
  });

  it("narrow", () => {
    const narrow = (event: CasinoEvent) => {
      if (isMoney(event)) expectTypeOf(event).toEqualTypeOf<BetEvent | DepositEvent>();
      if (isCustom(event)) expectTypeOf(event).toEqualTypeOf<CustomEvent>();
      else if (event.type === "bet") expectTypeOf(event).toEqualTypeOf<BetEvent>();
    };
    expect(narrow).toBeTypeOf("function");
  });
});
