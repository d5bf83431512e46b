import { describe, expect, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import type { BetEvent, CasinoEvent, GameEvent } from "../casino/event.ts";
import { LogLimit } from "../service/log-limit.ts";
import { currency, type Rates } from "./currency.ts";

const fetchedAt = Date.parse("2026-01-02T03:04:05.678Z");
let asked = 0;
const there: Rates = {
  current: async () => {
    asked++;
    return {
      rates: new Map([
        ["USD", "1.0684"],
        ["BTC", "1e-5"],
        ["IDR", "0.001"],
      ]),
      fetchedAt,
      missing: new Map([["BRL", fetchedAt - 1_000]]),
    };
  },
};
const away: Rates = {
  current: () => Promise.reject(new Error("the rates API at rates.example failed: status 500")),
};

const bet = (code: string, amount: number): BetEvent => ({
  id: 1,
  type: "bet",
  player_id: 10,
  game_id: 100,
  amount,
  currency: code,
  has_won: false,
  created_at: "2026-01-02T03:04:05.678Z",
});
const game: GameEvent = {
  id: 2,
  type: "game_start",
  player_id: 10,
  game_id: 100,
  created_at: "2026-01-02T03:04:05.678Z",
};

const enrich = (rates: Rates, ...events: readonly CasinoEvent[]) =>
  currency(rates).enrich(
    events.map((event) => ({ client: "casino", event })),
    { log: new LogLimit(silent), signal: new AbortController().signal },
  );

describe("the currency step", () => {
  test("adds euro cents and says which rate it used", async () => {
    expect(await enrich(there, bet("USD", 500), bet("BTC", 100))).toEqual([
      {
        kind: "forward",
        event: { ...bet("USD", 500), amount_eur: 468 },
        rate: { value: "1.0684", at: "2026-01-02T03:04:05.678Z" },
      },
      {
        kind: "forward",
        event: { ...bet("BTC", 100), amount_eur: 10 },
        rate: { value: "1e-5", at: "2026-01-02T03:04:05.678Z" },
      },
    ]);
  });

  test("asks for rates only when an event needs one, once for a batch", async () => {
    asked = 0;
    await enrich(there, bet("EUR", 500), game, bet("XXX", 1));
    expect(asked).toBe(0);
    await enrich(there, bet("USD", 500), bet("USD", 600));
    expect(asked).toBe(1);
  });

  test("while rates are away, only the events that need one wait", async () => {
    const outcomes = await enrich(away, bet("EUR", 500), bet("USD", 500), game, bet("XXX", 1));
    expect(outcomes).toEqual([
      { kind: "forward", event: { ...bet("EUR", 500), amount_eur: 500 } },
      { kind: "later", because: "the rates API at rates.example failed: status 500" },
      { kind: "forward", event: game },
      {
        kind: "dead-letter",
        reason: "unsupported_currency",
        because: "/currency XXX is not in use (ISO 4217)",
      },
    ]);
  });

  test("converts at its fixed rate what gave way to the euro, whatever the rates are, and refuses it after its end", async () => {
    const lev = (created_at: string) => ({ ...bet("BGN", 10_000), created_at });
    const last = "2025-12-31T23:59:59.999Z";
    const end = "2026-01-01T00:00:00.000Z";
    for (const rates of [there, away]) {
      asked = 0;
      expect(await enrich(rates, lev(last), lev(end))).toEqual([
        { kind: "forward", event: { ...lev(last), amount_eur: 5113 }, rate: { value: "1.95583", at: end } },
        {
          kind: "dead-letter",
          reason: "unsupported_currency",
          because: "/currency BGN gave way to the euro and is not in use from 2026-01-01 on",
        },
      ]);
      expect(asked).toBe(0);
    }
  });

  test("lets events in a currency wait that answers had and now lack", async () => {
    const because = "the rates API has no rate for BRL since 2026-01-02T03:04:04.678Z";
    expect(await enrich(there, bet("BRL", 620), bet("EUR", 500))).toEqual([
      { kind: "later", because },
      { kind: "forward", event: { ...bet("EUR", 500), amount_eur: 500 } },
    ]);
  });

  test("sets aside a currency that a good answer lacks, and an amount beyond euro cents", async () => {
    expect(await enrich(there, bet("GBP", 1), bet("IDR", Number.MAX_SAFE_INTEGER))).toEqual([
      {
        kind: "dead-letter",
        reason: "unsupported_currency",
        because: "/currency the rates API has no rate for GBP",
      },
      {
        kind: "dead-letter",
        reason: "invalid_event",
        because: "/amount in EUR is above 9007199254740991 cents",
      },
    ]);
  });
});
