import { describe, expect, test } from "vitest";
import { expectationsOf, flawOf } from "./expectation.ts";

const envelope = { client: "casino", source: "", contentType: "" };
const bet = {
  id: 1,
  player_id: 10,
  game_id: 100,
  type: "bet",
  amount: 500,
  currency: "USD",
  created_at: "2022-01-10T12:34:56.789+00",
};
const of = (changes: object, who = envelope) =>
  expectationsOf(who, Buffer.from(JSON.stringify({ ...bet, ...changes })))?.[0];
const reasons = (payload: string, contentType = "") =>
  expectationsOf({ ...envelope, contentType }, Buffer.from(payload))?.map((expected) =>
    expected.outcome === "dead" ? expected.reason : expected.outcome,
  );

describe("the expectation", () => {
  test("a good event is final, with what is made of it", () => {
    expect(of({ created_at: "2022-01-10T23:34:56.7899-01:00" })).toEqual({
      outcome: "final",
      facts: { ...bet, has_won: false, created_at: "2022-01-11T00:34:56.789Z", amount_eur: 468 },
    });
  });

  test.each([
    ["unknown_client", {}, { ...envelope, client: "stranger" }],
    ["unknown_client", {}, { ...envelope, client: "NOBODY" }],
    ["invalid_event", {}, { ...envelope, source: "a b" }],
    ["invalid_event", { amount: -1 }, envelope],
    ["invalid_event", { has_won: null }, envelope],
    ["invalid_event", { created_at: "2022-02-30T00:00:00Z" }, envelope],
    ["invalid_event", { type: "bet", game_id: undefined }, envelope],
    ["invalid_event", { type: "anything" }, envelope],
    ["unknown_type", { type: "jackpot" }, envelope],
    ["unsupported_currency", { currency: "YUM" }, envelope],
  ])("%s for %j of %j", (reason, changes, who) => {
    expect(of(changes, who)).toEqual({ outcome: "dead", reason });
  });

  test("what is no JSON in UTF-8 is dead, what nobody can tell is left open", () => {
    expect(reasons("{")).toEqual(["invalid_json"]);
    expect(expectationsOf(envelope, Buffer.from([0x22, 0xff, 0x22]))).toMatchObject([
      { reason: "invalid_json" },
    ]);
    expect(reasons("\ufeff[]")).toBeUndefined();
    expect(of({ created_at: "2016-12-31T23:59:60Z" })).toEqual({ outcome: "either" });
    expect(of({ currency: "DEM" })).toEqual({ outcome: "either" });
    expect(of({}, { ...envelope, contentType: "application/x-protobuf" })).toBeUndefined();
  });
});

describe("the expectations of a message with several events", () => {
  const good = JSON.stringify(bet);
  test.each<[string, string, readonly string[]]>([
    [`[${good},{},${good}]`, "", ["final", "invalid_event", "final"]],
    [`[${good}]`, "", ["final"]],
    ["[]", "", ["invalid_event"]],
    [`[${good},x]`, "", ["invalid_json"]],
    [`[${Array(1_001).fill(good)}]`, "", ["too_large"]],
    [
      `${good}\n \r\n{\n${good}`,
      "Content-Type: Application/X-NDJSON; q=1",
      ["final", "invalid_json", "final"],
    ],
    [`[${good}]\n`, "Content-Type:application/x-ndjson", ["invalid_event"]],
    [" \n", "Content-Type: application/x-ndjson", ["invalid_json"]],
    [`${good}\n${good}`, "", ["invalid_json"]],
  ])("%#", (payload, contentType, expected) => {
    expect(reasons(payload, contentType)).toEqual(expected);
  });
});

describe("a flaw of a final event", () => {
  const final = {
    ...{ id: 1, player_id: 10, type: "deposit", amount: 1, currency: "EUR" },
    ...{ created_at: "2022-03-03T12:12:00.000Z", amount_eur: 1 },
    description: "Player #10 made a deposit of 0.01 EUR on March 3rd, 2022 at 12:12 UTC.",
  };

  test("there is none in a good one", () => {
    expect(flawOf(Buffer.from(JSON.stringify(final)))).toBeUndefined();
  });

  test.each([
    ["amount_eur is missing", { amount_eur: undefined }],
    ["game_id has no business here", { game_id: 100 }],
    ["id is 1.5", { id: 1.5 }],
    ["created_at", { created_at: "2022-03-03T12:12:00Z" }],
    ["the description is nothing", { description: "nothing" }],
  ])("%s", (flaw, change) => {
    expect(flawOf(Buffer.from(JSON.stringify({ ...final, ...change })))).toBe(flaw);
  });

  test("another order, other spaces", () => {
    const { id, ...others } = final;
    expect(flawOf(Buffer.from(JSON.stringify({ ...others, id })))).toMatch(/^the order is/);
    expect(flawOf(Buffer.from(JSON.stringify(final, null, 1)))).toBe("it is not the shortest JSON");
  });
});
