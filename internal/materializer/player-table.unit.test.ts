import fc from "fast-check";
import { expect, test } from "vitest";
import { PlayerTable } from "./player-table.ts";

test("gives each player one index, in the order of first sight, and leads back to the id", () => {
  const id = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }));
  fc.assert(
    fc.property(fc.array(id, { maxLength: 500 }), (ids) => {
      const table = new PlayerTable();
      const order = [...new Set(ids)];
      for (const each of ids) expect(table.indexOf(each)).toBe(order.indexOf(each));
      expect(table.size).toBe(order.length);
      order.forEach((each, index) => {
        expect(table.idOf(index)).toBe(each);
      });
    }),
  );
});

test("keeps ids apart that share their lower 32 bits", () => {
  const table = new PlayerTable();
  const ids = Array.from({ length: 1_000 }, (_, i) => 5 + i * 2 ** 32);
  for (const id of ids) table.indexOf(id);
  expect(ids.map((id) => table.indexOf(id))).toEqual(ids.map((_, i) => i));
});
