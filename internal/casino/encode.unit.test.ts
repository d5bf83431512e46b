import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeEvent } from "./encode.ts";
import { anyEvent } from "./event.arbitrary.ts";
import type { BetEvent, CasinoEvent } from "./event.ts";

const text = (event: CasinoEvent) => new TextDecoder().decode(encodeEvent(event));
const player = { last_signed_in_at: null, email: "john@example.com" };
const created_at = "2022-01-10T12:34:56.000Z";

describe("encodeEvent", () => {
  it("writes the keys of a bet in their order", () => {
    const bet: BetEvent = {
      description: "A bet.",
      player,
      amount_eur: 0,
      created_at,
      has_won: false,
      currency: "USD",
      amount: 0,
      type: "bet",
      game_id: 100,
      player_id: 10,
      id: 1,
    };
    expect(text(bet)).toBe(
      '{"id":1,"player_id":10,"game_id":100,"type":"bet","amount":0,"currency":"USD","has_won":false,"created_at":"2022-01-10T12:34:56.000Z","amount_eur":0,"player":{"email":"john@example.com","last_signed_in_at":null},"description":"A bet."}',
    );
  });

  it.each<[CasinoEvent, string]>([
    [
      { type: "game_start", game_id: 3, player_id: 2, id: 1, created_at, description: "é", player },
      '{"id":1,"player_id":2,"game_id":3,"type":"game_start","created_at":"2022-01-10T12:34:56.000Z","player":{"email":"john@example.com","last_signed_in_at":null},"description":"é"}',
    ],
    [
      { type: "deposit", currency: "EUR", amount: 5, amount_eur: 5, player_id: 2, id: 1, created_at },
      '{"id":1,"player_id":2,"type":"deposit","amount":5,"currency":"EUR","created_at":"2022-01-10T12:34:56.000Z","amount_eur":5}',
    ],
    [
      { type: "login", data: { z: 1, a: { b: [] } }, id: 1, created_at, description: "x" },
      '{"id":1,"type":"login","created_at":"2022-01-10T12:34:56.000Z","data":{"z":1,"a":{"b":[]}},"description":"x"}',
    ],
  ])("writes %o", (event, expected) => expect(text(event)).toBe(expected));

  it("leaves out what has no meaning for the type", () => {
    const bet = {
      id: 1,
      player_id: 2,
      game_id: 3,
      amount: 4,
      currency: "EUR",
      has_won: true,
      amount_eur: 4,
      created_at,
    };
    const extra = { ...bet, data: {}, client: "casino", player: { ...player, id: 7 } };
    const keys = (event: CasinoEvent) => Object.keys(JSON.parse(text(event)));
    expect(keys({ ...extra, type: "game_stop" })).toEqual([
      "id",
      "player_id",
      "game_id",
      "type",
      "created_at",
      "player",
    ]);
    expect(keys({ ...extra, type: "deposit" })).not.toContain("has_won");
    expect(keys({ ...extra, type: "bet" })).not.toContain("client");
    expect(keys({ ...extra, type: "login" })).toEqual(["id", "type", "created_at", "data", "player"]);
    expect(text({ ...extra, type: "bet" })).not.toContain('"id":7');
  });

  it("writes JSON of what the event holds", () => {
    fc.assert(
      fc.property(anyEvent, (event) => {
        expect(JSON.parse(text(event))).toEqual(event);
      }),
    );
  });
});
