import { describe, expect, test } from "vitest";
import { Dispositions } from "./dispositions.ts";

const none = { final: 0, waiting: 0, dead: 0, sentAgain: 0, discarded: 0, erased: 0, copy: 0, moving: 0 };
const line = (number: number, at: number, lines: number) => ({ number, line: at, lines });

test("each number counts once, by the furthest it came, and those nowhere are named", () => {
  const dispositions = new Dispositions(65_540);
  for (const number of [1, 2, 65_535, 65_536, 65_537])
    expect(dispositions.add({ number }, "final")).toBe(true);
  expect(dispositions.add({ number: 2 }, "final")).toBe(false);
  dispositions.add({ number: 2 }, "waiting");
  dispositions.add({ number: 3 }, "waiting");
  dispositions.add({ number: 3 }, "dead");
  dispositions.add({ number: 65_540 }, "copy");
  expect(dispositions.has({ number: 3 }, "dead")).toBe(true);
  expect(dispositions.isKnown({ number: 4 })).toBe(false);

  const { counts, unknown, firstUnknown } = dispositions.sum(1, 2);
  expect(counts).toEqual({ ...none, final: 5, waiting: 1, copy: 1 });
  expect([unknown, firstUnknown]).toEqual([65_540 - 7, [{ number: 4 }, { number: 5 }]]);
  // What lies before the first counts where it is known.
  expect(dispositions.sum(65_536, 2)).toEqual({
    counts,
    unopened: 0,
    unknownBefore: 65_535 - 4,
    unknown: 2,
    firstUnknown: [{ number: 65_538 }, { number: 65_539 }],
  });
});

test("numbers beyond the last are not kept, whoever made them up", () => {
  const dispositions = new Dispositions(2 ** 34);
  dispositions.add({ number: 2 ** 34 }, "final");
  expect(dispositions.sum(2 ** 34, 1)).toMatchObject({ counts: { final: 1 }, unknownBefore: 2 ** 34 - 1 });
  const few = new Dispositions(1);
  expect(few.add({ number: 2 }, "final")).toBe(true);
  expect(few.isKnown({ number: 2 })).toBe(false);
});

describe("of a message with several events", () => {
  test("each has dispositions of its own, and those that are nowhere are named", () => {
    const dispositions = new Dispositions(4);
    for (const at of [1, 3]) dispositions.add(line(2, at, 3), "final");
    expect(dispositions.add(line(2, 3, 3), "final")).toBe(false);
    dispositions.add(line(4, 2, 2), "dead");
    expect([
      dispositions.hasAny(2, "final"),
      dispositions.hasAny(2, "dead"),
      dispositions.hasAny(3, "final"),
    ]).toEqual([true, false, false]);
    expect(dispositions.sum(1, 9)).toMatchObject({
      counts: { ...none, final: 2, dead: 1 },
      unknown: 4,
      firstUnknown: [{ number: 1 }, line(2, 2, 3), { number: 3 }, line(4, 1, 2)],
    });
  });

  test("what became of the message became of those of which nothing else is known", () => {
    const dispositions = new Dispositions(2);
    dispositions.add({ number: 1 }, "waiting");
    dispositions.add(line(1, 2, 3), "final");
    dispositions.add({ number: 2 }, "waiting");
    expect(dispositions.sum(1, 9)).toMatchObject({
      counts: { ...none, final: 1, waiting: 3 },
      unopened: 1,
      unknown: 0,
    });
  });

  test("all say the same of how many there are", () => {
    const dispositions = new Dispositions(2);
    dispositions.add(line(1, 2, 3), "final");
    expect(
      [line(1, 1, 3), line(1, 1, 2), { number: 1 }, line(2, 1, 2)].map((it) => dispositions.fits(it)),
    ).toEqual([true, false, true, true]);
  });

  test("there may be many, in little memory", () => {
    const [messages, lines] = [3_000, 1_000];
    const dispositions = new Dispositions(messages);
    for (let number = 1; number <= messages; number++)
      for (let at = 1; at <= lines; at++)
        if (number !== 2_999 || at !== 999) dispositions.add(line(number, at, lines), "final");
    expect(dispositions.sum(1, 9)).toMatchObject({
      counts: { final: messages * lines - 1 },
      firstUnknown: [line(2_999, 999, lines)],
    });
  });
});
