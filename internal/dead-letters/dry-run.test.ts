import { afterAll, beforeAll, expect, test } from "vitest";
import { brokerForTest, defaultLimits } from "../../test/harness/broker.ts";
import type { EventTypes } from "../enrichment/decoding.ts";
import { Publisher } from "../jetstream/publisher.ts";
import { ensureStreams } from "../jetstream/topology.ts";
import { Unavailable } from "../service/unavailable.ts";
import { type DryRunRules, dryRunReplay } from "./dry-run.ts";
import { type GivenLetter, gameStart, setAside } from "./letters.fixture.ts";
import { LetterStore } from "./store.ts";

const { nc } = await brokerForTest();
const publisher = new Publisher(nc);
const store = new LetterStore(nc);

const types: EventTypes = {
  decode: (_client, read) =>
    read((type) =>
      type === "note"
        ? (data) =>
            typeof (data as { text?: unknown }).text === "string" // the reader lets only objects through
              ? []
              : [{ path: "/text", message: "must be string" }]
        : undefined,
    ),
};
const rules: DryRunRules = {
  types,
  maxAheadMs: 86_400_000,
  knowsClient: async (client) => client === "casino",
  currentRates: async () => ({ rates: new Map([["USD", "1.1"]]), missing: new Map([["BRL", 0]]) }),
};

beforeAll(() => ensureStreams(nc, [], defaultLimits));
afterAll(() => publisher.close());

async function outlook(given: GivenLetter, edited?: string, world: Partial<DryRunRules> = {}) {
  const letter = await store.read(await setAside(publisher, given));
  if (letter === undefined) throw new Error("it is not there");
  return dryRunReplay(letter, { ...rules, ...world }, edited === undefined ? undefined : Buffer.from(edited));
}

const bet = (currency: string, more: object = {}) =>
  gameStart(1, { type: "bet", amount: 100, currency, ...more });

test("what is good by the rules of now would pass", async () => {
  const pass = { would: "pass" };
  expect(await outlook({ payload: gameStart(1) })).toEqual(pass);
  expect(await outlook({ payload: bet("EUR") })).toEqual(pass);
  expect(await outlook({ payload: bet("USD"), reason: "unsupported_currency" })).toEqual(pass);
  const kuna = bet("HRK", { created_at: "2022-12-31T23:59:59Z" });
  expect(await outlook({ payload: kuna }, undefined, { currentRates: async () => undefined })).toEqual(pass);
  const note = JSON.stringify({
    id: 1,
    type: "note",
    created_at: "2022-01-10T12:34:56Z",
    data: { text: "hi" },
  });
  expect(await outlook({ payload: note })).toEqual(pass);
  expect(await outlook({ payload: "nonsense", reason: "invalid_json" }, gameStart(1))).toEqual(pass);
  const priced = { failedOn: "casino.event.priced.casino.bet", step: "player" };
  expect(await outlook({ ...priced, payload: bet("XYZ", { has_won: false, amount_eur: 1 }) })).toEqual(pass);
});

test.each([
  ["invalid_json", "must be JSON in UTF-8", { payload: "nonsense" }],
  ["invalid_event", "/player_id must be integer", { payload: gameStart(1, { player_id: "x" }) }],
  ["unknown_type", "/type must be a registered type", { payload: gameStart(1, { type: "jackpot" }) }],
  ["invalid_event", "/data/text must be string", { payload: gameStart(1, { type: "note", data: {} }) }],
  ["unsupported_currency", "/currency XYZ is not in use (ISO 4217)", { payload: bet("XYZ") }],
  ["unsupported_currency", "/currency the rates API has no rate for BTC", { payload: bet("BTC") }],
  [
    "unsupported_currency",
    "/currency HRK gave way to the euro and is not in use from 2023-01-01 on",
    { payload: bet("HRK", { created_at: "2023-01-01T00:00:00Z" }) },
  ],
  ["unknown_client", 'The client "acme" is not registered, or is disabled.', { client: "acme" }],
  ["unknown_client", 'The client "NOBODY" is not of the form [a-z0-9-]{1,40}.', { client: "NOBODY" }],
  [
    "invalid_event",
    "The header Casino-Source is not of the form [A-Za-z0-9._-]{1,64}.",
    { headers: { "Casino-Source": "a b" } },
  ],
  [
    "invalid_event",
    "/amount in EUR is above 9007199254740991 cents",
    { payload: bet("USD", { amount: Number.MAX_SAFE_INTEGER }) },
    new Map([["USD", "0.5"]]),
  ],
] as const)("%s: %s", async (reason, because, given, rates = undefined) => {
  const world = rates === undefined ? {} : { currentRates: async () => ({ rates, missing: new Map() }) };
  expect(await outlook(given, undefined, world)).toEqual({ would: "fail", reason, because });
});

test("what nothing in the letter shows is left open", async () => {
  const open = async (...given: Parameters<typeof outlook>) => {
    const found = await outlook(...given);
    expect(found.would).toBe("perhaps pass");
    return "because" in found ? found.because : "";
  };
  expect(await open({ reason: "max_deliveries", error: "The step player failed: a bug" })).toContain("a bug");
  expect(await open({ payload: bet("USD") }, undefined, { currentRates: async () => undefined })).toContain(
    "rate for USD",
  );
  expect(await open({ payload: bet("BRL") })).toBe(
    "It would wait: the rates API has no rate for BRL at the moment.",
  );
  const away = async () => {
    throw new Unavailable("Postgres is away");
  };
  expect(await open({}, undefined, { knowsClient: away })).toBe("It cannot be told now: Postgres is away");
});

test("a letter that cannot be sent anywhere would fail", async () => {
  expect(await outlook({ failedOn: "somewhere" })).toMatchObject({ would: "fail" });
});
