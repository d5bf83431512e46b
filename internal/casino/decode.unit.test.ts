import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CustomTypes, decodeEnriched, decodeRaw } from "./decode.ts";
import { encodeEvent } from "./encode.ts";
import { anyEvent } from "./event.arbitrary.ts";
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

const forms = [
  ["decodeRaw", decodeRaw],
  ["decodeEnriched", decodeEnriched],
] as const;

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

  it("takes __proto__ for a key like others", () => {
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

  it("takes nothing from Object.prototype", () => {
    const inherited = { id: 1, player_id: 10, type: "deposit", currency: "EUR", created_at };
    for (const [key, value] of Object.entries(inherited)) {
      Object.defineProperty(Object.prototype, key, { value, configurable: true });
      try {
        const { errors } = refusalOf(decode(bytes({ amount: 1, ...inherited, [key]: undefined })));
        expect(errors[0]?.path).toBe(`/${key}`);
      } finally {
        Reflect.deleteProperty(Object.prototype, key);
      }
    }
  });

  it("never quotes a long value", () => {
    const long = "x".repeat(10_000);
    const event = { id: long, player_id: long, game_id: long, type: "bet", currency: long, created_at: long };
    for (const value of [event, { ...custom, type: long }, { ...custom, data: { [long]: { a: "\0" } } }]) {
      const { errors } = refusalOf(decode(bytes(value), anyCustomType));
      expect(errors).not.toEqual([]);
      for (const { path, message } of errors) expect(path.length + message.length).toBeLessThan(200);
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

describe("decodeEnriched", () => {
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
