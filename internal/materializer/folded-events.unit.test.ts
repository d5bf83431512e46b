import { expect, test } from "vitest";
import { FoldedEvents } from "./folded-events.ts";

const minute = 60_000;
const start = Date.UTC(2022, 0, 10);

/** One event per second for some minutes, so that earlier events are forgotten. */
function pass(folded: FoldedEvents, from: number, minutes: number): void {
  for (let second = 0; second < minutes * 60; second++)
    folded.add(
      { client: "casino", source: "passing", id: 1 + second, storedAt: from + second * 1_000 },
      undefined,
    );
}

const event = { client: "casino", source: "s", id: 1, storedAt: start };

test("a second sending is known for three duplicate windows, and counts after that", () => {
  const folded = new FoldedEvents(5 * minute);
  expect(folded.add(event, { number: 1, at: start })).toBe(true);
  pass(folded, start, 15);
  expect(
    folded.add({ ...event, storedAt: start + 15 * minute }, { number: 900, at: start + 15 * minute }),
  ).toBe(false);
  pass(folded, start + 15 * minute, 20);
  expect(
    folded.add({ ...event, storedAt: start + 35 * minute }, { number: 2_000, at: start + 35 * minute }),
  ).toBe(true);
});

test("a copy of one accepted event is known at any age, also of a line", () => {
  const folded = new FoldedEvents(5 * minute);
  folded.numbersSince(start - minute);
  const line = { number: 2, line: 3, lines: 20, at: start };
  expect(folded.add(event, { number: 1, at: start })).toBe(true);
  expect(folded.add({ ...event, id: 2 }, line)).toBe(true);
  pass(folded, start, 300);
  const later = start + 300 * minute;
  expect(folded.add({ ...event, storedAt: later }, { number: 1, at: start })).toBe(false);
  expect(folded.add({ ...event, id: 2, storedAt: later }, line)).toBe(false);
  expect(folded.add({ ...event, id: 3, storedAt: later }, { ...line, line: 4 })).toBe(true);
});

test("a CASINO_RAW made anew gives its numbers to other events: none of them is taken for a copy", () => {
  const folded = new FoldedEvents(5 * minute);
  folded.numbersSince(start - minute);
  for (let id = 1; id <= 100; id++) folded.add({ ...event, id }, { number: id, at: start });
  // Before the new stream was noticed.
  expect(folded.add({ ...event, id: 1_001, storedAt: start + 1_000 }, { number: 1, at: start + 900 })).toBe(
    true,
  );
  folded.numbersSince(start + 500);
  pass(folded, start + 1_000, 60);
  const later = start + 61 * minute;
  // Accepted by the new stream, delayed for an hour.
  expect(folded.add({ ...event, id: 1_002, storedAt: later }, { number: 2, at: start + 950 })).toBe(true);
  // Accepted by the old stream, so its number is meaningless.
  expect(folded.add({ ...event, id: 1_003, storedAt: later }, { number: 2, at: start })).toBe(true);
});

test("after a reset nothing is known, and numbers still count", () => {
  const folded = new FoldedEvents(5 * minute);
  folded.numbersSince(start - minute);
  folded.add(event, { number: 1, at: start });
  folded.reset();
  expect(folded.add(event, { number: 1, at: start })).toBe(true);
  pass(folded, start, 60);
  expect(folded.add({ ...event, storedAt: start + 60 * minute }, { number: 1, at: start })).toBe(false);
});

test("without knowing CASINO_RAW no number is believed", () => {
  const folded = new FoldedEvents(5 * minute);
  expect(folded.add(event, { number: 1, at: start })).toBe(true);
  pass(folded, start, 60);
  expect(folded.add({ ...event, id: 2, storedAt: start + 60 * minute }, { number: 1, at: start })).toBe(true);
});
