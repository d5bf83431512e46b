import { describe, expect, test } from "vitest";
import { decodeRaw } from "../casino/decode.ts";
import { type CasinoType, casinoTypes } from "../casino/event.ts";
import { randomEvents } from "./events.ts";
import { seededRandom } from "./random.ts";

const now = () => new Date("2022-01-10T12:34:56.789Z");

function take(count: number, seed: number, type?: CasinoType): Record<string, unknown>[] {
  return randomEvents(seededRandom(seed), now, type && { type })
    .take(count)
    .toArray();
}

const keys: Readonly<Record<CasinoType, readonly string[]>> = {
  game_start: ["id", "player_id", "game_id", "type", "created_at"],
  game_stop: ["id", "player_id", "game_id", "type", "created_at"],
  bet: ["id", "player_id", "game_id", "type", "amount", "currency", "has_won", "created_at"],
  deposit: ["id", "player_id", "type", "amount", "currency", "created_at"],
};

test("the same seed gives the same events, another seed others", () => {
  expect(take(1_000, 7)).toEqual(take(1_000, 7));
  expect(take(1_000, 7)).not.toEqual(take(1_000, 8));
});

test("amounts are in the currencies asked for", () => {
  const own = randomEvents(seededRandom(4), now, { type: "bet", currencies: ["SEK", "BTC"] }).take(200);
  expect(new Set(own.map(({ currency }) => currency))).toEqual(new Set(["SEK", "BTC"]));
});

test("ids count from 1", () => {
  expect(take(100, 1).map(({ id }) => id)).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
});

test("every event is one that the pipeline takes", () => {
  const decoded = take(5_000, 2).map((event) => decodeRaw(Buffer.from(JSON.stringify(event))));
  expect(decoded.filter(({ ok }) => !ok)).toEqual([]);
});

test("each has only the keys of its type, in order, and all that are not left out", () => {
  for (const event of take(5_000, 3)) {
    const type = casinoTypes.find((name) => name === event.type) ?? "bet";
    const present = Object.keys(event);
    expect(present).toEqual(keys[type].filter((key) => present.includes(key)));
    const missing = keys[type].filter((key) => !present.includes(key));
    expect(["amount", "has_won"]).toEqual(expect.arrayContaining(missing));
  }
});

test("players, games, types and currencies all come up", () => {
  const all = (key: string) => [...new Set(take(5_000, 4).map((event) => event[key]))].sort();
  expect(all("player_id")).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
  expect(all("game_id").filter(Number)).toEqual([100, 101, 102, 103, 104, 105, 106, 107, 108, 109]);
  expect(all("type")).toEqual([...casinoTypes].sort());
  expect(all("currency").filter(Boolean)).toEqual(["BTC", "EUR", "GBP", "NZD", "USD"]);
});

test("about one bet in twenty is won; the others do not say so", () => {
  const bets = take(20_000, 5, "bet");
  const won = bets.filter((bet) => "has_won" in bet);
  expect(won.every((bet) => bet.has_won === true)).toBe(true);
  expect(Math.abs(won.length - 1_000)).toBeLessThan(150);
});

describe("at the ends of the random numbers", () => {
  const one = (random: number, type: CasinoType) => randomEvents(() => random, now, { type }).next().value;

  test("an amount of zero is left out", () => {
    expect(one(0, "deposit")).toEqual({
      id: 1,
      player_id: 10,
      type: "deposit",
      currency: "EUR",
      created_at: "2022-01-10T12:34:56.789Z",
    });
  });

  test("a bet that is lost does not say so", () => {
    expect(one(1 - 2 ** -32, "bet")).toEqual({
      id: 1,
      player_id: 19,
      game_id: 109,
      type: "bet",
      amount: 5_000_000,
      currency: "BTC",
      created_at: "2022-01-10T12:34:56.789Z",
    });
  });
});

test.each(casinoTypes)("only %s where only that is asked for", (type) => {
  expect(new Set(take(200, 6, type).map((event) => event.type))).toEqual(new Set([type]));
});
