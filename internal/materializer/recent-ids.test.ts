import fc from "fast-check";
import { expect, test } from "vitest";
import { RecentIds } from "./recent-ids.ts";

const id = fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }));
const name = fc.constantFrom("a", "b", "a:b");

test("says of each event whether it was there before, as a set does", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(name, name, id), { maxLength: 800 }), (events) => {
      const ids = new RecentIds();
      const seen = new Set<string>();
      for (const [client, source, each] of events) {
        const key = JSON.stringify([client, source, each]);
        expect(ids.add(client, source, each)).toBe(!seen.has(key));
        seen.add(key);
      }
    }),
  );
});

test("after a generation is full the most recent half is still known, and the oldest is forgotten", () => {
  const ids = new RecentIds({ slots: 2 ** 10, sources: 100 });
  const lone = (i: number) => i * 1_000; // every id in a block of its own: the worst case
  const perGeneration = 768;
  for (let i = 1; i <= 10 * perGeneration; i++) expect(ids.add("casino", "x", lone(i))).toBe(true);
  for (let i = 9 * perGeneration + 1; i <= 10 * perGeneration; i++)
    expect(ids.add("casino", "x", lone(i))).toBe(false);
  expect(ids.add("casino", "x", lone(1))).toBe(true);
});

test("is exact at the moment of a rotation: the id that arrives then is compared with what was current", () => {
  const ids = new RecentIds({ slots: 2 ** 10, sources: 100 });
  for (let i = 1; i <= 768; i++) ids.add("casino", "x", i * 32);
  expect(ids.add("casino", "x", 768 * 32)).toBe(false);
  expect(ids.add("casino", "x", 32)).toBe(false);
});

test("sources without end do not grow it without end, and the latest are still known", () => {
  const ids = new RecentIds({ slots: 2 ** 10, sources: 50 });
  for (let run = 0; run < 500; run++) expect(ids.add("casino", `run-${run}`, 1)).toBe(true);
  for (let run = 451; run < 500; run++) expect(ids.add("casino", `run-${run}`, 1)).toBe(false);
});

test("ten million consecutive ids, slightly out of order, cost less than two bytes each", () => {
  const before = process.memoryUsage().arrayBuffers;
  const ids = new RecentIds();
  for (let i = 0; i < 10_000_000; i += 4) for (const j of [2, 1, 4, 3]) ids.add("casino", "gateway", i + j);
  expect(ids.add("casino", "gateway", 5_000_000)).toBe(false);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000);
});
