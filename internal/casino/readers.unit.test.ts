import { describe, expect, it } from "vitest";
import { decodeEnriched, decodeRaw } from "./decode.ts";
import {
  anyCustomType,
  bet,
  bytes,
  created_at,
  custom,
  deposit,
  eventOf,
  player,
  refusalOf,
  start,
  textBytes,
} from "./event.example.ts";

describe("decodeRaw", () => {
  it.each([start, { ...start, type: "game_stop" }, bet, deposit, custom])("reads %j", (event) =>
    expect(eventOf(decodeRaw(bytes(event), anyCustomType))).toEqual(event),
  );

  it("gives absent amounts and wins their values", () => {
    const { amount: _, has_won: __, ...sparse } = bet;
    expect(eventOf(decodeRaw(bytes(sparse)))).toEqual({ ...sparse, amount: 0, has_won: false });
    const { amount: ___, ...sparseDeposit } = deposit;
    expect(eventOf(decodeRaw(bytes(sparseDeposit)))).toEqual({ ...sparseDeposit, amount: 0 });
  });

  it.each([
    [{ ...bet, amount: null }, "/amount", "must be integer"],
    [{ ...bet, amount: "300" }, "/amount", "must be integer"],
    [{ ...bet, amount: 1.5 }, "/amount", "must be integer"],
    [{ ...bet, amount: -1 }, "/amount", "must be >= 0"],
    [{ ...bet, amount: 2 ** 53 }, "/amount", "must be <= 9007199254740991"],
    [{ ...bet, has_won: null }, "/has_won", "must be boolean"],
    [{ ...bet, has_won: 1 }, "/has_won", "must be boolean"],
    [{ ...bet, id: 0 }, "/id", "must be >= 1"],
    [{ ...bet, game_id: null }, "/game_id", "must be integer"],
    [{ ...bet, currency: "eur" }, "/currency", 'must match pattern "^[A-Z]{3}$"'],
    [{ ...bet, currency: "EUR\n" }, "/currency", 'must match pattern "^[A-Z]{3}$"'],
    [{ ...bet, player_id: undefined }, "/player_id", "must have required property 'player_id'"],
    [{ ...bet, currency: undefined }, "/currency", "must have required property 'currency'"],
    [{ ...start, game_id: undefined }, "/game_id", "must have required property 'game_id'"],
    [{ ...deposit, created_at: undefined }, "/created_at", "must have required property 'created_at'"],
    [{ ...deposit, created_at: 1641818096 }, "/created_at", "must be string"],
    [
      { ...deposit, created_at: "2022-02-30T12:00:00Z" },
      "/created_at",
      "must be an existing RFC 3339 date-time",
    ],
    [
      { ...deposit, created_at: "2022-02-20T12:00:67Z" },
      "/created_at",
      "must be an existing RFC 3339 date-time",
    ],
    [{ ...custom, data: undefined }, "/data", "must have required property 'data'"],
    [{ ...custom, data: [] }, "/data", "must be object"],
    [{ ...custom, data: null }, "/data", "must be object"],
    [{ ...custom, data: { a: ["\0"] } }, "/data/a/0", "must not contain U+0000 or a lone surrogate"],
    [{ ...custom, data: { a: "\ud83d" } }, "/data/a", "must not contain U+0000 or a lone surrogate"],
    [{ ...start, type: undefined }, "/type", "must have required property 'type'"],
    [{ ...start, type: 1 }, "/type", "must be string"],
    [{ ...start, type: "Bet" }, "/type", 'must match pattern "^[a-z0-9_-]{1,40}$"'],
    [{ ...start, type: "bet\n" }, "/type", 'must match pattern "^[a-z0-9_-]{1,40}$"'],
  ])("refuses %j", (event, path, message) =>
    expect(refusalOf(decodeRaw(bytes(event), anyCustomType))).toEqual({
      ok: false,
      reason: "invalid_event",
      errors: [{ path, message }],
    }),
  );

  it("reports all errors together", () => {
    const { errors } = refusalOf(
      decodeRaw(bytes({ type: "bet", amount: null, currency: "€", created_at: "today" })),
    );
    expect(errors.map(({ path }) => path).sort()).toEqual(
      ["/amount", "/created_at", "/currency", "/game_id", "/id", "/player_id"].sort(),
    );
    const untyped = refusalOf(decodeRaw(bytes({ created_at: "today" })));
    expect(untyped.errors.map(({ path }) => path).sort()).toEqual(["/created_at", "/id", "/type"]);
  });

  it("drops what has no meaning for the type, whatever it holds", () => {
    const garbage = { amount: "x", currency: 1, has_won: null, data: "\0", client: [], amount_eur: {} };
    expect(eventOf(decodeRaw(bytes({ ...garbage, player: 1, description: {}, ...start })))).toEqual(start);
    expect(eventOf(decodeRaw(bytes({ ...bet, amount_eur: 5, player, description: "x", data: 0 })))).toEqual(
      bet,
    );
    expect(eventOf(decodeRaw(bytes({ ...garbage, game_id: -1, ...deposit })))).toEqual(deposit);
    expect(eventOf(decodeRaw(bytes({ ...custom, player_id: "x", amount: -1 }), anyCustomType))).toEqual(
      custom,
    );
  });

  it("reads any offset and a leap second", () => {
    const read = (at: string) => eventOf(decodeRaw(bytes({ ...start, created_at: at }))).created_at;
    expect(read("2022-01-10T12:34:56.789+00")).toBe(created_at);
    expect(read("2022-01-10T14:34:56.7899+02:00")).toBe(created_at);
    expect(read("2016-12-31T23:59:60Z")).toBe("2017-01-01T00:00:00.000Z");
  });

  it("reads integers however JSON writes them", () => {
    const text = JSON.stringify(bet).replace('"amount":300', '"amount":-0.0').replace('"id":1', '"id":1.0e1');
    expect(eventOf(decodeRaw(textBytes(text)))).toStrictEqual({ ...bet, id: 10, amount: 0 });
  });
});

describe("decodeEnriched", () => {
  const added = { player, description: "A bet." };

  it.each([
    { ...start, ...added },
    { ...bet, amount_eur: 300, ...added },
    { ...bet, player: { ...player, last_signed_in_at: null } },
    { ...deposit, amount_eur: 0 },
    { ...custom, ...added },
  ])("keeps what the steps have added: %j", (event) =>
    expect(eventOf(decodeEnriched(bytes(event), anyCustomType))).toStrictEqual(event),
  );

  it("drops what has no meaning", () => {
    const event = { ...start, amount_eur: "x", player: { ...player, id: 7 }, trace: 1 };
    expect(eventOf(decodeEnriched(bytes(event)))).toStrictEqual({ ...start, player });
  });

  it("writes the sign-in in the one form", () => {
    const event = { ...start, player: { ...player, last_signed_in_at: "2022-01-09T01:00:00+01" } };
    expect(eventOf(decodeEnriched(bytes(event)))).toStrictEqual({ ...start, player });
  });

  const textMessage = "must not contain U+0000 or a lone surrogate";
  const dateMessage = "must be an existing RFC 3339 date-time";
  it.each([
    [{ ...bet, amount: undefined }, "/amount", "must have required property 'amount'"],
    [{ ...bet, has_won: undefined }, "/has_won", "must have required property 'has_won'"],
    [{ ...bet, amount_eur: 1.5 }, "/amount_eur", "must be integer"],
    [{ ...bet, amount_eur: null }, "/amount_eur", "must be integer"],
    [{ ...bet, amount_eur: 2 ** 53 }, "/amount_eur", "must be <= 9007199254740991"],
    [{ ...bet, player: null }, "/player", "must be object"],
    [
      { ...bet, player: { email: "x" } },
      "/player/last_signed_in_at",
      "must have required property 'last_signed_in_at'",
    ],
    [{ ...bet, player: { ...player, email: 1 } }, "/player/email", "must be string"],
    [{ ...bet, player: { ...player, email: "\0" } }, "/player/email", textMessage],
    [{ ...bet, player: { ...player, last_signed_in_at: "never" } }, "/player/last_signed_in_at", dateMessage],
    [
      { ...bet, player: { ...player, last_signed_in_at: 0 } },
      "/player/last_signed_in_at",
      "must be string,null",
    ],
    [{ ...bet, description: "\ud800" }, "/description", textMessage],
    [{ ...bet, description: 1 }, "/description", "must be string"],
    [{ ...custom, description: null }, "/description", "must be string"],
    [{ ...start, created_at: "2022-13-01T00:00:00Z" }, "/created_at", dateMessage],
  ])("refuses %j", (event, path, message) =>
    expect(refusalOf(decodeEnriched(bytes(event), anyCustomType))).toEqual({
      ok: false,
      reason: "invalid_event",
      errors: [{ path, message }],
    }),
  );
});
