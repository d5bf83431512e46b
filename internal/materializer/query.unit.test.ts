import { describe, expect, test } from "vitest";
import type { FinalEvent } from "../messages/final-event.ts";
import { Fold } from "./fold.ts";
import { answer, parseQuery, QueryError } from "./query.ts";

const start = Date.UTC(2022, 0, 10);

function folded(...events: (Partial<FinalEvent> & { type: string })[]): Fold {
  const fold = new Fold();
  events.forEach((event, i) => {
    fold.apply({ client: "casino", source: "nats", id: i + 1, playerId: 10, storedAt: start, ...event });
  });
  return fold;
}

function ask(fold: Fold, parameters: Record<string, unknown>, now: number) {
  return JSON.parse(answer(fold, parseQuery(parameters), now));
}

describe("the answer", () => {
  test("before any event is zeros and nulls, in the documented order", () => {
    const nothing =
      '{"events_total":0,"events_per_minute":0,"events_per_second_moving_average":0,' +
      '"top_player_bets":null,"top_player_wins":null,"top_player_deposits":null}';
    expect(answer(new Fold(), parseQuery({}), start)).toBe(nothing);
    expect(answer(folded({ type: "bet" }), parseQuery({ client_id: "nobody" }), start)).toBe(nothing);
  });

  test("is exactly this for these events", () => {
    const fold = folded(
      { type: "bet", hasWon: true },
      { type: "bet", hasWon: false, playerId: 11, client: "acme" },
      { type: "bet", hasWon: false, storedAt: start + 30_000 },
      { type: "deposit", amountEur: 15_000, playerId: 12, storedAt: start + 89_000 },
      { type: "game_start", storedAt: start + 90_000 },
    );
    expect(answer(fold, parseQuery({}), start + 90_000)).toBe(
      '{"events_total":5,"events_per_minute":3.33,"events_per_second_moving_average":0.03,' +
        '"top_player_bets":{"id":10,"count":2,"client_id":"casino"},' +
        '"top_player_wins":{"id":10,"count":1,"client_id":"casino"},' +
        '"top_player_deposits":{"id":12,"count":15000,"client_id":"casino"}}',
    );
    expect(answer(fold, parseQuery({ client_id: "acme", top: "2" }), start + 90_000)).toBe(
      '{"events_total":1,"events_per_minute":0.67,"events_per_second_moving_average":0,' +
        '"top_player_bets":{"id":11,"count":1,"client_id":"acme"},"top_player_wins":null,"top_player_deposits":null,' +
        '"top_players_bets":[{"id":11,"count":1,"client_id":"acme"}],"top_players_wins":[],"top_players_deposits":[]}',
    );
  });

  test("divides the moving average by the window, or by the time since the first event while that is shorter", () => {
    const fold = folded(...Array.from({ length: 30 }, () => ({ type: "bet" })));
    const average = (now: number, parameters = {}) =>
      ask(fold, parameters, now).events_per_second_moving_average;
    expect(average(start)).toBe(30); // at least one second
    expect(average(start + 10_000)).toBe(3);
    expect(average(start + 59_900)).toBe(0.5);
    expect(average(start + 60_000)).toBe(0);
    expect(average(start + 60_000, { window_size: 3_600 })).toBe(0.5);
    expect(average(start + 600, { window_size: 1 })).toBe(30);
  });

  test("measures a client from that client's first event", () => {
    const fold = folded(
      { type: "bet", client: "old" },
      { type: "bet", client: "new", storedAt: start + 60_000 },
    );
    expect(ask(fold, { client_id: "old" }, start + 120_000).events_per_minute).toBe(0.5);
    expect(ask(fold, { client_id: "new" }, start + 120_000).events_per_minute).toBe(1);
  });

  test("stays sound where the broker's clock runs ahead or behind", () => {
    const fold = folded({ type: "bet", storedAt: start });
    for (const skew of [-7_200_000, -500, 0, 7_200_000]) {
      const result = ask(fold, {}, start + skew);
      expect(result.events_per_minute).toBe(skew > 0 ? 0.01 : 60);
      expect(result.events_per_second_moving_average).toBe(skew > 0 ? 0 : 1);
    }
  });

  test("is right again once the broker's clock, an hour ahead for a second, is", () => {
    const fold = new Fold();
    let id = 0;
    const second = (s: number) => {
      for (let k = 0; k < 10; k++)
        fold.apply({
          client: "casino",
          source: "s",
          id: ++id,
          type: "x",
          storedAt: start + s * 1_000 + k * 100,
        });
    };
    for (let s = 0; s < 300; s++) second(s);
    second(3_900);
    for (let s = 301; s < 600; s++) second(s);
    const { events_per_minute, events_per_second_moving_average } = ask(fold, {}, start + 600_000);
    expect(events_per_minute).toBe(600);
    expect(events_per_second_moving_average).toBeCloseTo(10, 1);
  });

  test("is zero after an idle window though the broker's clock is ahead: that goes on as ours does", () => {
    const fold = new Fold();
    const event = { client: "casino", source: "s", id: 1, type: "x", storedAt: start + 7_200_000 };
    fold.apply(event, { receivedAt: start });
    expect(ask(fold, {}, start + 1_000).events_per_second_moving_average).toBe(1);
    expect(ask(fold, {}, start + 60_000).events_per_second_moving_average).toBe(0);
  });

  test("carries sums beyond 2^53 as exact integers", () => {
    const fold = folded(
      { type: "deposit", amountEur: Number.MAX_SAFE_INTEGER },
      { type: "deposit", amountEur: Number.MAX_SAFE_INTEGER },
      { type: "deposit", amountEur: 3 },
    );
    expect(answer(fold, parseQuery({}), start)).toContain(
      '"top_player_deposits":{"id":10,"count":18014398509481985,',
    );
  });

  test("ranks equals by client, then by player, also across clients", () => {
    const fold = folded(
      { type: "bet", client: "b", playerId: 1 },
      { type: "bet", client: "a", playerId: 9 },
      { type: "bet", client: "a", playerId: 3 },
    );
    expect(ask(fold, { top: 3 }, start).top_players_bets).toEqual([
      { id: 3, count: 1, client_id: "a" },
      { id: 9, count: 1, client_id: "a" },
      { id: 1, count: 1, client_id: "b" },
    ]);
  });
});

describe("the parameters", () => {
  test("have defaults, come as texts or as JSON values, and other names are ignored", () => {
    expect(parseQuery({})).toEqual({ windowSeconds: 60 });
    expect(parseQuery({ window_size: "3600", client_id: "acme-1", top: "100", _: "1" })).toEqual({
      windowSeconds: 3_600,
      clientId: "acme-1",
      top: 100,
    });
    expect(parseQuery({ window_size: 1, top: 1 })).toEqual({ windowSeconds: 1, top: 1 });
  });

  test.each([
    [
      "window_size",
      ["0", "3601", "-1", "1.5", "1e3", "", " 60", "abc", 0, 3_601, 1.5, null, true, ["60", "61"], {}],
    ],
    ["top", ["0", "101", "", "x", 0, 101, null, []]],
    ["client_id", ["", "Acme", "a.b", "*", "a".repeat(41), 7, null, ["a", "b"]]],
  ])("%s is refused with a sentence that names it", (name, values) => {
    for (const value of values) {
      expect(() => parseQuery({ [name]: value })).toThrow(QueryError);
      expect(() => parseQuery({ [name]: value })).toThrow(new RegExp(`^${name} must be .*, not .*\\.$`));
    }
  });

  test("are all refused together", () => {
    expect(() => parseQuery({ window_size: "abc", top: 0 })).toThrow(
      'window_size must be an integer from 1 to 3600, not "abc". top must be an integer from 1 to 100, not 0.',
    );
  });
});
