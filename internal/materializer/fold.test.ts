import fc from "fast-check";
import { expect, test } from "vitest";
import type { FinalEvent } from "../messages/final-event.ts";
import { Fold, type Ranking, rankings } from "./fold.ts";

const start = Date.UTC(2022, 0, 10);

const event: fc.Arbitrary<FinalEvent> = fc.record({
  client: fc.constantFrom("casino", "casino-2", "a", "b"),
  source: fc.constantFrom("nats", "run-1"),
  id: fc.integer({ min: 1, max: 150 }),
  type: fc.constantFrom("game_start", "game_stop", "bet", "deposit", "jackpot"),
  playerId: fc.integer({ min: 1, max: 12 }),
  amountEur: fc.oneof(fc.nat(3), fc.nat(100_000), fc.maxSafeNat()),
  hasWon: fc.boolean(),
  storedAt: fc.integer({ min: start, max: start + 7_200_000 }),
});

/** The figures by their definition: keeps all events, and counts and sorts them each time. */
function naive(events: readonly FinalEvent[], clientId: string | undefined) {
  const once = new Map<string, FinalEvent>();
  for (const each of events) {
    const key = `${each.client} ${each.source} ${each.id}`;
    if (!once.has(key)) once.set(key, each);
  }
  const folded = [...once.values()].filter((each) => clientId === undefined || each.client === clientId);
  const top = (ranking: Ranking) => {
    const sums = new Map<string, { id: number; clientId: string; sum: bigint }>();
    for (const { client, playerId, type, hasWon, amountEur } of folded) {
      const counts = { bets: type === "bet", wins: type === "bet" && hasWon, deposits: type === "deposit" };
      if (!counts[ranking]) continue;
      const rank = sums.get(`${client} ${playerId}`) ?? { id: playerId ?? 0, clientId: client, sum: 0n };
      rank.sum += ranking === "deposits" ? BigInt(amountEur ?? 0) : 1n;
      sums.set(`${client} ${playerId}`, rank);
    }
    return [...sums.values()].sort((a, b) => {
      if (a.sum !== b.sum) return a.sum > b.sum ? -1 : 1;
      if (a.clientId !== b.clientId) return a.clientId < b.clientId ? -1 : 1;
      return a.id - b.id;
    });
  };
  return { total: folded.length, first: Math.min(...folded.map((each) => each.storedAt)), top };
}

test("gives the figures of a naive fold, for all and for each client, with ties, duplicates and huge sums", () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 400 }), fc.integer({ min: 1, max: 100 }), (events, count) => {
      const fold = new Fold();
      for (const each of events) fold.apply(each);
      for (const clientId of [undefined, "casino", "casino-2", "a", "b", "nobody"]) {
        const expected = naive(events, clientId);
        expect(fold.rhythm(clientId)?.total ?? 0).toBe(expected.total);
        expect(fold.rhythm(clientId)?.first ?? Number.POSITIVE_INFINITY).toBe(expected.first);
        for (const ranking of rankings) {
          const ranks = fold.top(ranking, count, clientId);
          expect(ranks.map((rank) => ({ ...rank, count: BigInt(rank.count) }))).toEqual(
            expected
              .top(ranking)
              .slice(0, count)
              .map(({ id, clientId, sum }) => ({ id, count: sum, clientId })),
          );
        }
      }
    }),
    { numRuns: 200 },
  );
});

test("says whether an event was new; one seen before changes nothing", () => {
  const fold = new Fold();
  const bet = {
    client: "casino",
    source: "nats",
    id: 1,
    type: "bet",
    playerId: 10,
    hasWon: true,
    storedAt: start,
  };
  expect(fold.apply(bet)).toBe(true);
  expect(fold.apply({ ...bet, playerId: 11, storedAt: start + 1 })).toBe(false);
  expect(fold.apply({ ...bet, source: "run-1" })).toBe(true);
  expect(fold.apply({ ...bet, client: "other" })).toBe(true);
  expect(fold.rhythm()?.total).toBe(3);
  expect(fold.top("wins", 2)).toEqual([
    { id: 10, count: 2, clientId: "casino" },
    { id: 10, count: 1, clientId: "other" },
  ]);
  expect(fold.clock(0)).toBe(start);
});

test("a deposit of nothing is a deposit: its player stands on the board with zero", () => {
  const fold = new Fold();
  fold.apply({
    client: "casino",
    source: "nats",
    id: 1,
    type: "deposit",
    playerId: 10,
    amountEur: 0,
    storedAt: start,
  });
  expect(fold.top("deposits", 1)).toEqual([{ id: 10, count: 0, clientId: "casino" }]);
  expect(fold.top("bets", 1)).toEqual([]);
});

test("a million players of two clients take less than 120 MB", () => {
  const used = () => {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const fold = new Fold();
  const before = used();
  const players = 1_000_000;
  for (let i = 0; i < players; i++) {
    // Ids that are far apart, like random ones.
    const playerId = 1 + ((i * 7_919) % players) * 9_007_199_254;
    const common = { client: i % 2 ? "casino" : "other", source: "nats", playerId, storedAt: start + i };
    fold.apply({ ...common, id: 3 * i + 1, type: "bet", hasWon: true });
    fold.apply({ ...common, id: 3 * i + 2, type: "bet", hasWon: false });
    fold.apply({ ...common, id: 3 * i + 3, type: "deposit", amountEur: i });
  }
  const bytes = used() - before;
  expect(fold.rhythm()?.total).toBe(3 * players);
  // The bound includes garbage that is not collected yet.
  expect(bytes).toBeLessThan(120_000_000);
});
