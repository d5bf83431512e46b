import fc from "fast-check";
import { expect, test } from "vitest";
import { Fingerprints } from "./fingerprints.ts";

const minute = 60_000;
const start = Date.UTC(2022, 0, 10);

const id = fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }));
const name = fc.constantFrom("a", "b", "a:b", "");

test("says of each event whether it was there before, as a set does, whatever the clock does within the span", () => {
  const event = fc.tuple(name, name, id, fc.integer({ min: -30_000, max: 2_000 }));
  fc.assert(
    fc.property(fc.array(event, { maxLength: 400 }), (events) => {
      const fingerprints = new Fingerprints({ spanMs: 15 * minute });
      const seen = new Set<string>();
      let at = start;
      for (const [client, source, each, step] of events) {
        at += step;
        const key = JSON.stringify([client, source, each]);
        expect(fingerprints.add(client, source, each, at)).toBe(!seen.has(key));
        seen.add(key);
      }
      expect(fingerprints.size).toBe(seen.size);
    }),
  );
});

test("ids that differ in any of their 53 bits are different events", () => {
  const fingerprints = new Fingerprints({ spanMs: minute });
  for (let bit = 0; bit < 53; bit++) expect(fingerprints.add("casino", "s", 2 ** bit, start)).toBe(true);
  for (let bit = 0; bit < 53; bit++) expect(fingerprints.add("casino", "s", 2 ** bit, start)).toBe(false);
});

test("remembers for the span at any rate, and forgets after a twelfth more", () => {
  const fingerprints = new Fingerprints({ spanMs: 12 * minute });
  const perMinute = 20_000;
  const add = (each: number, now: number) => fingerprints.add("casino", "s", each, now);
  const at = (each: number) => start + (each * minute) / perMinute;
  for (let each = 1; each <= 60 * perMinute; each++) {
    if (!add(each, at(each))) expect.fail(`${each} was taken for another`);
    const old = each - 12 * perMinute;
    if (old > 0 && each % 977 === 0) expect(add(old, at(each))).toBe(false);
  }
  expect(fingerprints.size).toBeLessThanOrEqual(13 * perMinute + 1);
  expect(add(46 * perMinute, at(60 * perMinute))).toBe(true);
  expect(fingerprints.problem).toBeUndefined();
});

test("neither a lull nor a clock an hour ahead and back makes anything forgotten", () => {
  const fingerprints = new Fingerprints({ spanMs: 15 * minute });
  for (let each = 1; each <= 100; each++) fingerprints.add("casino", "s", each, start + each);
  fingerprints.add("casino", "s", 101, start + 60 * minute);
  fingerprints.add("casino", "s", 102, start + 200);
  fingerprints.add("casino", "s", 103, start + 60 * minute);
  for (let each = 1; each <= 103; each++)
    expect(fingerprints.add("casino", "s", each, start + 61 * minute)).toBe(false);
});

test("holds no more than its most, says how far back that reaches, and knows the latest all the same", () => {
  const fingerprints = new Fingerprints({ spanMs: 12 * minute, most: 50_000 });
  const at = (each: number) => start + each * 6; // 10,000 a minute: 120,000 in the span
  for (let each = 1; each <= 400_000; each++) fingerprints.add("casino", "s", each, at(each));
  expect(fingerprints.size).toBeLessThanOrEqual(50_000);
  expect(fingerprints.problem).toBe(
    "more than 50000 events came within 720 s: those sent twice more than 180 s apart are counted twice",
  );
  for (let each = 370_000; each <= 400_000; each++)
    expect(fingerprints.add("casino", "s", each, at(400_000))).toBe(false);
});

test("costs 11 to 16 bytes an event, and gives it back after a burst", () => {
  const fingerprints = new Fingerprints({ spanMs: 15 * minute });
  const burst = 1_000_000;
  for (let each = 1; each <= burst; each++) fingerprints.add("casino", "s", each * 1_000_003, start);
  const perEvent = fingerprints.bytes / burst;
  expect(perEvent).toBeGreaterThan(10);
  expect(perEvent).toBeLessThan(16);
  for (let each = 1; each <= 60; each++) fingerprints.add("casino", "t", each, start + each * 90_000);
  expect(fingerprints.bytes).toBeLessThan(1_000_000);
});

test("sources without end cost no more than their events", () => {
  const fingerprints = new Fingerprints({ spanMs: minute });
  for (let run = 0; run < 100_000; run++)
    expect(fingerprints.add("casino", `run-${run}`, 1, start)).toBe(true);
  for (let run = 0; run < 100_000; run++)
    expect(fingerprints.add("casino", `run-${run}`, 1, start)).toBe(false);
});
