import { describe, expect, test } from "vitest";
import { afterAnswer, type Currencies, kvCurrencies, missingPatience } from "./currencies.ts";
import { connection, log, manager, natsServer, useWorld, world } from "./world.fixture.ts";

useWorld();

const at = Date.UTC(2026, 0, 2, 3, 4, 5);
const answer = (...codes: readonly string[]) => ({
  rates: new Map(codes.map((code) => [code, "1.5"])),
  leftOut: [] as readonly string[],
});
const nothing: Currencies = { present: new Set(), missing: new Map() };
const memory = async (timeout = 10_000) => kvCurrencies(await connection(), { log, replicas: 1, timeout });

describe("of one answer after another", () => {
  test("what an earlier one had is missing from the first that lacks it, for a day", () => {
    const first = afterAnswer(nothing, answer("USD", "BRL"), at);
    expect(first).toEqual({ present: new Set(["BRL", "USD"]), missing: new Map() });
    const second = afterAnswer(first, answer("USD"), at + 1_000);
    expect(second).toEqual({ present: new Set(["USD"]), missing: new Map([["BRL", at + 1_000]]) });
    const nearlyADay = at + 1_000 + missingPatience - 1;
    expect(afterAnswer(second, answer("USD"), nearlyADay)).toEqual(second);
    expect(afterAnswer(second, answer("USD"), nearlyADay + 1).missing).toEqual(new Map());
    expect(afterAnswer(second, answer("USD", "BRL"), nearlyADay)).toEqual(first);
  });

  test("however long nobody asked before the first that lacks it", () => {
    const before = afterAnswer(nothing, answer("USD", "BRL"), at);
    const later = at + 30 * missingPatience;
    expect(afterAnswer(before, answer("USD"), later).missing).toEqual(new Map([["BRL", later]]));
  });

  test("what none had, or needs no rate, is not missing", () => {
    const first = afterAnswer(nothing, answer("USD", "EUR", "BGN", "DOGE"), at);
    expect(first.present).toEqual(new Set(["USD"]));
    expect(afterAnswer(first, answer("USD"), at).missing).toEqual(new Map());
  });

  test("a rate that one leaves out is missing, also if none had it before", () => {
    const leavesOut = (...leftOut: readonly string[]) => ({ ...answer("USD"), leftOut });
    const first = afterAnswer(nothing, leavesOut("BRL", "BGN", "DOGE", "EUR"), at);
    expect(first.missing).toEqual(new Map([["BRL", at]]));
    const dayAfter = afterAnswer(first, leavesOut("BRL"), at + missingPatience);
    expect(dayAfter.missing).toEqual(new Map([["BRL", at]]));
    expect(afterAnswer(dayAfter, answer("USD", "BRL"), at + missingPatience).missing).toEqual(new Map());
    expect(afterAnswer(dayAfter, answer("USD"), at + missingPatience).missing).toEqual(new Map());
  });

  test("a clock that was ahead makes none wait longer", () => {
    const ahead = { present: new Set(["USD"]), missing: new Map([["BRL", at + 90 * missingPatience]]) };
    expect(afterAnswer(ahead, answer("USD"), at).missing).toEqual(new Map([["BRL", at]]));
  });
});

describe("the memory in NATS", () => {
  test("is shared by all processes, and outlives them and the broker's restart", async () => {
    expect(await (await memory()).note(answer("USD", "BRL", "GBP"), at)).toEqual(new Map());
    expect(await (await memory()).note(answer("USD", "GBP"), at + 1)).toEqual(new Map([["BRL", at + 1]]));
    await natsServer().kill();
    await natsServer().start();
    expect(await (await memory()).note(answer("USD"), at + 2)).toEqual(
      new Map([
        ["BRL", at + 1],
        ["GBP", at + 2],
      ]),
    );
    expect(await (await memory()).note(answer("USD", "BRL", "GBP"), at + 3)).toEqual(new Map());
  });

  test("lets events wait for a rate that answers leave out, for a day", async () => {
    const mine = await memory();
    const leavesOut = { ...answer("USD"), leftOut: ["BRL", "XPT"] };
    for (const later of [0, missingPatience - 1])
      expect(await mine.note(leavesOut, at + later)).toEqual(new Map([["BRL", at]]));
    for (const later of [missingPatience, 3 * missingPatience])
      expect(await mine.note(leavesOut, at + later)).toEqual(new Map());
  });

  test("does not expire, and is written only when something has changed", async () => {
    const mine = await memory();
    for (let time = at; time < at + 3; time++) await mine.note(answer("USD", "BRL"), time);
    for (let time = at; time < at + 3; time++) await mine.note(answer("USD"), time);
    const { config, state } = await (await manager()).streams.info("KV_casino_currencies");
    expect(config.max_age).toBe(0);
    expect(state.last_seq).toBe(2);
  });

  test("loses nothing to those who take note at the same time", async () => {
    const codes = ["BRL", "GBP", "JPY", "CHF", "SEK"];
    const memories = await Promise.all(codes.map(() => memory()));
    await Promise.all(memories.map((mine, i) => mine.note(answer("USD", codes[i] ?? ""), at)));
    const missing = await (await memory()).note(answer("USD"), at + 1);
    expect([...missing.keys()].sort()).toEqual([...codes].sort());
  });

  test("that cannot be reached makes all that is absent wait, and says so once", async () => {
    const [stranger, known] = [await memory(500), await memory(500)];
    await known.note(answer("USD", "BRL"), at);
    await natsServer().kill();
    const missing = await stranger.note(answer("USD", "GBP"), at);
    expect(missing.get("BRL")).toBe(at);
    expect(missing.has("XOF")).toBe(true);
    expect(missing.has("GBP")).toBe(false);
    expect((await stranger.note(answer("USD", "GBP"), at + 5)).get("BRL")).toBe(at);
    expect(await known.note(answer("USD"), at + 5)).toEqual(new Map([["BRL", at + 5]]));
    expect(world.logged.filter((line) => line.includes("currencies that an answer lacks wait"))).toHaveLength(
      2,
    );
    await natsServer().start();
    // Once it has its connection again.
    await expect
      .poll(() => stranger.note(answer("USD", "GBP"), at + 6), { timeout: 60_000 })
      .toEqual(new Map([["BRL", at + 6]]));
  });

  test.each([
    "nonsense",
    "null",
    "[1]",
    '{"present":7,"missing":[]}',
    '{"present":["XXX",null],"missing":{"BRL":"x"}}',
  ])("that holds %s begins anew", async (text) => {
    const mine = await memory();
    await mine.note(answer("USD", "BRL"), at);
    (await connection()).publish("$KV.casino_currencies.EUR", text);
    const stream = async () => (await (await manager()).streams.info("KV_casino_currencies")).state.last_seq;
    await expect.poll(stream).toBe(2);
    expect(await mine.note(answer("USD"), at)).toEqual(new Map());
  });
});
