import { expect, it, describe as suite } from "vitest";
import { describe as describeEvent } from "./description.ts";
import type { BetEvent, CasinoEvent, CustomEvent, DepositEvent, GameEvent } from "./event.ts";

const titles = new Map([
  [100, "Rocket Dice"],
  [101, "It's bananas!"],
]);
const describe = (event: CasinoEvent) => describeEvent(event, (id) => titles.get(id));

const start: GameEvent = {
  id: 1,
  player_id: 10,
  game_id: 100,
  type: "game_start",
  created_at: "2022-01-10T12:34:56.789Z",
};
const bet: BetEvent = {
  id: 2,
  player_id: 11,
  game_id: 101,
  type: "bet",
  amount: 500,
  currency: "USD",
  has_won: false,
  created_at: "2022-02-02T23:45:59.999Z",
  amount_eur: 468,
  player: { email: "john@example.com", last_signed_in_at: null },
};
const deposit: DepositEvent = {
  id: 3,
  player_id: 12,
  type: "deposit",
  amount: 10_000,
  currency: "EUR",
  created_at: "2022-03-03T12:12:12.000Z",
  amount_eur: 10_000,
};
const custom: CustomEvent = { id: 77, type: "free-spin_2", created_at: start.created_at, data: {} };

suite("describe", () => {
  it("tells of a start", () => {
    expect(describe(start)).toBe(
      'Player #10 started playing a game "Rocket Dice" on January 10th, 2022 at 12:34 UTC.',
    );
  });

  it("tells of a stop", () => {
    expect(describe({ ...start, type: "game_stop" })).toBe(
      'Player #10 stopped playing a game "Rocket Dice" on January 10th, 2022 at 12:34 UTC.',
    );
  });

  it("tells of a bet, its player and its worth", () => {
    expect(describe(bet)).toBe(
      'Player #11 (john@example.com) placed a bet of 5 USD (4.68 EUR) on a game "It\'s bananas!" on February 2nd, 2022 at 23:45 UTC.',
    );
  });

  it("tells the worth of an amount in a currency that gave way to the euro", () => {
    const leva = { ...deposit, amount: 19_558, currency: "BGN", created_at: "2025-12-30T12:12:12.000Z" };
    expect(describe(leva)).toBe(
      "Player #12 made a deposit of 195.58 BGN (100 EUR) on December 30th, 2025 at 12:12 UTC.",
    );
  });

  it("tells of a deposit", () => {
    expect(describe(deposit)).toBe("Player #12 made a deposit of 100 EUR on March 3rd, 2022 at 12:12 UTC.");
  });

  it("tells of a custom event", () => {
    expect(describe(custom)).toBe("free-spin_2 event #77 on January 10th, 2022 at 12:34 UTC.");
  });

  it("numbers a game without a title", () => {
    expect(describe({ ...start, game_id: 123 })).toBe(
      "Player #10 started playing a game #123 on January 10th, 2022 at 12:34 UTC.",
    );
    expect(describe({ ...bet, game_id: 123 })).toContain("(4.68 EUR) on a game #123 on February 2nd");
  });

  it.each([
    [500, "JPY", 312, "500 JPY (3.12 EUR)"],
    [5000, "KWD", 1500, "5 KWD (15 EUR)"],
    [5250, "KWD", 1575, "5.250 KWD (15.75 EUR)"],
    [12_345, "BTC", 1000, "0.00012345 BTC (10 EUR)"],
    [150_000_000, "BTC", 12_345_678, "1.5 BTC (123456.78 EUR)"],
    [550, "EUR", 550, "5.50 EUR"],
    [0, "USD", 0, "0 USD (0 EUR)"],
  ])("writes %i %s as money", (amount, currency, amount_eur, expected) => {
    expect(describe({ ...deposit, amount, currency, amount_eur })).toBe(
      `Player #12 made a deposit of ${expected} on March 3rd, 2022 at 12:12 UTC.`,
    );
  });

  it("leaves out a worth that is not known", () => {
    const { amount_eur: _, ...unpriced } = bet;
    expect(describe(unpriced)).toContain("placed a bet of 5 USD on a game");
  });

  it("says every day of a month", () => {
    const days = Array.from({ length: 31 }, (_, i) => String(i + 1).padStart(2, "0"));
    const said = days.map(
      (day) =>
        / on January (\S+), /.exec(describe({ ...start, created_at: `2022-01-${day}T00:00:00.000Z` }))?.[1],
    );
    expect(said.join(" ")).toBe(
      "1st 2nd 3rd 4th 5th 6th 7th 8th 9th 10th 11th 12th 13th 14th 15th 16th 17th 18th 19th 20th 21st 22nd 23rd 24th 25th 26th 27th 28th 29th 30th 31st",
    );
  });

  it("says every month of a year", () => {
    const months = Array.from({ length: 12 }, (_, i) => String(i + 1).padStart(2, "0"));
    const said = months.map(
      (month) =>
        / on (\S+) 1st, /.exec(describe({ ...start, created_at: `2022-${month}-01T00:00:00.000Z` }))?.[1],
    );
    expect(said.join(" ")).toBe(
      "January February March April May June July August September October November December",
    );
  });

  it("throws on a currency that is not supported", () => {
    expect(() => describe({ ...deposit, currency: "XXX" })).toThrow(RangeError);
  });
});
