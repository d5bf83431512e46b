import fc from "fast-check";
import { expect, test } from "vitest";
import { boardSize, Leaderboard } from "./leaderboard.ts";
import { PlayerTable } from "./player-table.ts";
import { Tally } from "./tally.ts";

function board() {
  const players = new PlayerTable();
  const tally = new Tally();
  const leaderboard = new Leaderboard(players, tally);
  return {
    add(id: number, amount: number): void {
      const index = players.indexOf(id);
      tally.add(index, amount);
      leaderboard.raised(index);
    },
    best: (count: number) => Array.from(leaderboard.best(count), (index) => players.idOf(index)),
  };
}

test("is the head of all players sorted by count, then by id, after any events", () => {
  const change = fc.tuple(fc.integer({ min: 1, max: 250 }), fc.nat(3));
  fc.assert(
    fc.property(
      fc.array(change, { minLength: 200, maxLength: 1_500 }),
      fc.integer({ min: 1, max: 100 }),
      (changes, top) => {
        const { add, best } = board();
        const sums = new Map<number, number>();
        for (const [id, amount] of changes) {
          add(id, amount);
          sums.set(id, (sums.get(id) ?? 0) + amount);
        }
        const sorted = [...sums].sort(([idA, a], [idB, b]) => b - a || idA - idB).map(([id]) => id);
        expect(best(top)).toEqual(sorted.slice(0, top));
        expect(best(boardSize)).toEqual(sorted.slice(0, boardSize));
      },
    ),
    { numRuns: 60 },
  );
});

test("among equals the lower id leads, in whatever order they came", () => {
  const { add, best } = board();
  for (const id of [30, 10, 20]) add(id, 1);
  expect(best(3)).toEqual([10, 20, 30]);
  add(30, 1);
  expect(best(3)).toEqual([30, 10, 20]);
});

test("a player from below pushes the last one off a full board, and only the last one", () => {
  const { add, best } = board();
  for (let id = 1; id <= boardSize; id++) add(id, 2);
  add(500, 1);
  expect(best(boardSize)).not.toContain(500);
  add(500, 2);
  expect(best(2)).toEqual([500, 1]);
  expect(best(boardSize)).not.toContain(boardSize);
  expect(best(boardSize)).toHaveLength(boardSize);
});
