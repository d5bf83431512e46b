import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CustomTypes, type Decoded, decodeEnriched, decodeRaw } from "./decode.ts";
import { encodeEvent } from "./encode.ts";
import { anyEvent } from "./event.arbitrary.ts";

const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const textBytes = (text: string) => new TextEncoder().encode(text);
const created_at = "2022-01-10T12:34:56.789Z";
const start = { id: 1, player_id: 10, game_id: 100, type: "game_start", created_at };
const bet = { ...start, type: "bet", amount: 300, currency: "EUR", has_won: true };
const deposit = { id: 1, player_id: 10, type: "deposit", amount: 300, currency: "EUR", created_at };
const custom = { id: 1, type: "login", created_at, data: { device: "phone" } };
const player = { email: "john@example.com", last_signed_in_at: "2022-01-09T00:00:00.000Z" };
const anyCustomType: CustomTypes = () => () => [];
const forms = [
  ["decodeRaw", decodeRaw],
  ["decodeEnriched", decodeEnriched],
] as const;

const eventOf = (decoded: Decoded) => {
  if (!decoded.ok) throw new Error(JSON.stringify(decoded));
  return decoded.event;
};
const refusalOf = (decoded: Decoded) => {
  if (decoded.ok) throw new Error(`not refused: ${JSON.stringify(decoded.event)}`);
  expect(decoded.errors.length).toBeGreaterThan(0);
  return decoded;
};

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

  it("gives back what was encoded, and that again", () => {
    fc.assert(
      fc.property(anyEvent, (event) => {
        const once = eventOf(decodeEnriched(encodeEvent(event), anyCustomType));
        // Not toStrictEqual, which takes a key __proto__ for the prototype.
        expect(isDeepStrictEqual(once, event)).toBe(true);
        expect(eventOf(decodeEnriched(encodeEvent(once), anyCustomType))).toEqual(once);
        expect(Object.keys(once)).toEqual(
          Object.keys(JSON.parse(new TextDecoder().decode(encodeEvent(event)))),
        );
      }),
      { numRuns: 500 },
    );
  });
});

describe.each(forms)("%s", (_, decode) => {
  it.each([
    ["nothing", new Uint8Array()],
    ["blanks", textBytes(" \n")],
    ["half of an object", textBytes('{"id":1')],
    ["two objects", textBytes("{}{}")],
    ["a bare word", textBytes("NaN")],
    ["a broken byte", Uint8Array.of(0x22, 0xff, 0x22)],
    ["a surrogate in UTF-8", Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22)],
    ["UTF-16", Uint8Array.from(Buffer.from(JSON.stringify(start), "utf16le"))],
  ])("calls %s invalid_json", (_, payload) => {
    expect(refusalOf(decode(payload)).reason).toBe("invalid_json");
  });

  it.each(["null", "true", "1", '"bet"', "[]", `[${JSON.stringify(start)}]`])(
    "calls %s invalid_event",
    (text) => {
      expect(refusalOf(decode(textBytes(text)))).toEqual({
        ok: false,
        reason: "invalid_event",
        errors: [{ path: "", message: "must be object" }],
      });
    },
  );

  it.each(["login", "constructor", "hasownproperty", "__proto__"])("calls type %s unknown_type", (type) => {
    expect(refusalOf(decode(bytes({ ...custom, type })))).toEqual({
      ok: false,
      reason: "unknown_type",
      errors: [{ path: "/type", message: "must be a registered type" }],
    });
  });

  it("asks the check of a custom type", () => {
    const asked: unknown[] = [];
    const types: CustomTypes = (type) =>
      type === "login"
        ? (data) => {
            asked.push(data);
            return [{ path: "/device", message: "must be integer" }];
          }
        : undefined;
    expect(refusalOf(decode(bytes({ ...custom, id: 0 }), types)).errors).toEqual([
      { path: "/id", message: "must be >= 1" },
      { path: "/data/device", message: "must be integer" },
    ]);
    expect(asked).toEqual([custom.data]);
    expect(refusalOf(decode(bytes({ ...custom, type: "logout" }), types)).reason).toBe("unknown_type");
  });

  it("never asks it about a casino type, nor about data that cannot be kept", () => {
    const types: CustomTypes = () => () => [{ path: "", message: "must not be asked" }];
    expect(decode(bytes(start), types).ok).toBe(true);
    const { errors } = refusalOf(decode(bytes({ ...custom, data: { a: "\0" } }), types));
    expect(errors.map(({ path }) => path)).toEqual(["/data/a"]);
    expect(refusalOf(decode(bytes({ ...custom, data: 1 }), types)).errors).toEqual([
      { path: "/data", message: "must be object" },
    ]);
  });

  it("reports at most 20 errors of a check", () => {
    const types: CustomTypes = () => () =>
      Array.from({ length: 1000 }, (_, i) => ({ path: `/${i}`, message: "x" }));
    expect(refusalOf(decode(bytes(custom), types)).errors).toHaveLength(20);
  });

  it("takes data of 64 levels, and no more", () => {
    const nested = (levels: number) => `${'{"a":'.repeat(levels - 1)}{}${"}".repeat(levels - 1)}`;
    const payload = (levels: number) =>
      textBytes(`{"id":1,"type":"login","created_at":"${created_at}","data":${nested(levels)}}`);
    expect(decode(payload(64), anyCustomType).ok).toBe(true);
    expect(refusalOf(decode(payload(65), anyCustomType)).errors).toEqual([
      { path: "/data", message: "must be at most 64 levels deep" },
    ]);
  });

  it("survives nesting as deep as a message can hold", () => {
    const half = 480 * 1024;
    const deep = `${"[".repeat(half)}${"]".repeat(half)}`;
    const head = `{"id":1,"player_id":1,"game_id":1,"created_at":"${created_at}"`;
    expect(refusalOf(decode(textBytes("[".repeat(2 * half)))).reason).toBe("invalid_json");
    expect(refusalOf(decode(textBytes(deep))).reason).toBe("invalid_event");
    expect(
      refusalOf(decode(textBytes(`${head},"type":"login","data":{"a":${deep}}}`), anyCustomType)).reason,
    ).toBe("invalid_event");
    expect(refusalOf(decode(textBytes(`${head},"type":${deep}}`))).reason).toBe("invalid_event");
    expect(decode(textBytes(`${head},"type":"game_stop","data":${deep}}`)).ok).toBe(true);
  });

  it("takes nothing from a prototype", () => {
    const inherited = refusalOf(decode(textBytes(`{"__proto__":${JSON.stringify(bet)}}`)));
    expect(inherited.reason).toBe("invalid_event");
    const typed = refusalOf(decode(textBytes(`{"type":"bet","__proto__":${JSON.stringify(bet)}}`)));
    expect(typed.errors.map(({ path }) => path)).toContain("/player_id");
    const decoded = eventOf(
      decode(
        textBytes(`{"id":1,"type":"login","created_at":"${created_at}","data":{"__proto__":{"x":1}}}`),
        anyCustomType,
      ),
    );
    expect(new TextDecoder().decode(encodeEvent(decoded))).toContain('"data":{"__proto__":{"x":1}}');
    expect(Object.hasOwn(Object.prototype, "x")).toBe(false);
  });

  it("never quotes a long value", () => {
    const long = "x".repeat(10_000);
    const event = { id: long, player_id: long, game_id: long, type: "bet", currency: long, created_at: long };
    for (const value of [event, { ...custom, type: long }, { ...custom, data: { [long]: { a: "\0" } } }]) {
      for (const { path, message } of refusalOf(decode(bytes(value), anyCustomType)).errors) {
        expect(path.length + message.length).toBeLessThan(200);
      }
    }
  });

  it("never throws on bytes or JSON, and reads what it writes", () => {
    const keys = [
      "id",
      "player_id",
      "game_id",
      "type",
      "amount",
      "currency",
      "has_won",
      "created_at",
      "data",
      "player",
    ];
    const value = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom("bet", "deposit", "game_stop", "login", created_at, "EUR", 1, true, {}, player),
    );
    const nearly = fc.dictionary(fc.constantFrom(...keys), value).map(bytes);
    const changed = fc.tuple(
      fc.constantFrom<object>(start, bet, deposit, custom),
      fc.constantFrom(...keys),
      value,
    );
    const mutated = changed.map(([event, key, value]) => bytes({ ...event, [key]: value }));
    const payload = fc.oneof(fc.uint8Array(), fc.json().map(textBytes), nearly, mutated);
    fc.assert(
      fc.property(payload, (payload) => {
        const decoded = decode(payload, anyCustomType);
        if (!decoded.ok) expect(decoded.errors.length).toBeGreaterThan(0);
        else expect(decodeEnriched(encodeEvent(decoded.event), anyCustomType)).toEqual(decoded);
      }),
      { numRuns: 2000 },
    );
  });
});
