import { describe, expect, test } from "vitest";
import { ReceivedHeaders } from "../jetstream/wire-headers.ts";
import { accepted, created, final, letter, open, removal, waiting } from "./reconciliation.examples.ts";
import type { Reconciliation } from "./reconciliation.ts";

describe("an accepted event is accounted for", () => {
  test.each<[string, string, (reconciliation: Reconciliation) => void]>([
    ["in the first queue", "waiting", (it) => it.waitingAtFirst(1)],
    [
      "in a later queue",
      "waiting",
      (it) => {
        const headers = new ReceivedHeaders(`NATS/1.0\r\nCasino-Accepted: ${accepted(1)}\r\n\r\n`);
        it.waiting(waiting({ headers }));
      },
    ],
    ["as a final event", "final", (it) => it.final(final(1))],
    ["as a letter of the first step", "dead", (it) => it.letter(letter({ message: "CASINO_RAW:1" }))],
    [
      "as a letter of a later step",
      "dead",
      (it) => it.letter(letter({ message: "CASINO_PRICED:7", accepted: accepted(1) })),
    ],
    [
      "as a letter that was discarded",
      "discarded",
      (it) => it.record({ kind: "discarded", ...removal, message: "CASINO_RAW:1" }, 1),
    ],
    [
      "as a letter that was removed with the personal data in it",
      "erased",
      (it) => it.record({ kind: "erased", ...removal, accepted: accepted(1) }, 1),
    ],
    [
      "as a letter that was written anew while the streams were read",
      "moving",
      (it) =>
        it.record({ kind: "erased", ...removal, accepted: accepted(1), storedAs: "CASINO_DEAD:9" }, 100),
    ],
    [
      "as a letter that was accepted once more",
      "sentAgain",
      (it) =>
        it.record({ kind: "replayed", ...removal, message: "CASINO_RAW:1", storedAs: "CASINO_RAW:2" }, 1),
    ],
    [
      "as a letter that went back while the streams were read",
      "moving",
      (it) =>
        it.record({ kind: "replayed", ...removal, accepted: accepted(1), storedAs: "CASINO_PRICED:9" }, 100),
    ],
  ])("%s", (_where, disposition, found) => {
    const reconciliation = open(1);
    found(reconciliation);
    const { sum, lost } = reconciliation.close(1);
    expect(sum.counts).toMatchObject({ [disposition]: 1 });
    expect(lost.count).toBe(0);
  });

  test("as a copy, if what it is a copy of is somewhere; and not by being a copy of itself", () => {
    const reconciliation = open(5);
    reconciliation.final(final(1));
    reconciliation.letter(letter({ message: "CASINO_PRICED:2", accepted: accepted(2) }));
    for (const [number = 0, id] of [
      [1, 1],
      [3, 1],
      [4, 2],
      [5, 5],
    ])
      reconciliation.copy({ accepted: accepted(number), event: `casino:test:${id}`, copyOf: 1 });
    const { sum, lost } = reconciliation.close(5);
    expect(sum.counts).toMatchObject({ final: 1, dead: 1, copy: 1 });
    // A dead letter of the same event is no reason to drop one that was sent again, mended.
    expect(lost.first).toEqual([
      "CASINO_RAW 4 (dropped as a copy of casino:test:2, which is nowhere)",
      "CASINO_RAW 5 (dropped as a copy of casino:test:5, which is nowhere)",
    ]);
  });
});

describe("an accepted event is lost", () => {
  test("when it is nowhere, or only where a replay or an erasure put it long ago", () => {
    const reconciliation = open(4);
    reconciliation.final(final(2));
    reconciliation.record(
      { kind: "erased", ...removal, accepted: accepted(4), storedAs: "CASINO_DEAD:9" },
      99,
    );
    reconciliation.record(
      { kind: "replayed", ...removal, accepted: accepted(3), storedAs: "CASINO_PRICED:9" },
      99,
    );
    expect(reconciliation.close(4).lost.first).toEqual(["CASINO_RAW 1", "CASINO_RAW 3", "CASINO_RAW 4"]);
  });

  test("though an earlier CASINO_RAW gave out the same number, or an archiver's letter names it", () => {
    const reconciliation = open(1);
    reconciliation.final(final(1, { accepted: { number: 1, at: created - 1 } }));
    reconciliation.letter(letter({ step: "archiver", message: "CASINO_EVENTS:1", accepted: accepted(1) }));
    expect(reconciliation.close(1).lost.first).toEqual(["CASINO_RAW 1"]);
    expect(reconciliation.refused).toEqual(new Set([1]));
  });
});

describe("a letter that went as sent again", () => {
  const replayed = (letter: number, storedAs: string) =>
    ({ kind: "replayed", ...removal, letter, accepted: accepted(1), storedAs }) as const;

  test("is what lies where it was put, if that says so", () => {
    const reconciliation = open(9);
    reconciliation.final(final(4, { wasReplayed: true }));
    reconciliation.final(final(5, { replayOf: 2 }));
    reconciliation.letter(letter({ message: "CASINO_RAW:6", replays: 1 }));
    reconciliation.waitingAtFirst(7);
    const places = ["CASINO_RAW:4", "CASINO_EVENTS:5", "CASINO_RAW:6", "CASINO_RAW:7", "CASINO_EVENTS:99"];
    for (const [index, storedAs] of places.entries()) reconciliation.record(replayed(index + 1, storedAs), 1);
    expect(reconciliation.close(9).swallowed.count).toBe(0);
  });

  test("was swallowed, if somebody else's message lies there", () => {
    const reconciliation = open(9);
    reconciliation.final(final(4));
    reconciliation.final(final(5, { replayOf: 77 }));
    reconciliation.letter(letter({ message: "CASINO_RAW:6" }));
    const places = ["CASINO_RAW:4", "CASINO_EVENTS:5", "CASINO_RAW:6", "CASINO_EVENTS:4"];
    for (const [index, storedAs] of places.entries()) reconciliation.record(replayed(index + 1, storedAs), 1);
    expect(reconciliation.close(9).swallowed.first).toEqual(
      places.map((place, index) => `CASINO_DEAD ${index + 1} (not what lies at ${place})`),
    );
  });

  test("is one only once that is done", () => {
    const reconciliation = open(1);
    reconciliation.final(final(1));
    reconciliation.record({ ...replayed(1, "CASINO_RAW:1"), kind: "replaying" }, 1);
    expect(reconciliation.close(1).swallowed.count).toBe(0);
  });
});

describe("a final event", () => {
  test("may be there again by a replay that is written down or under way, and by nothing else", () => {
    const reconciliation = open(3);
    for (const number of [1, 2, 3]) reconciliation.final(final(number));
    reconciliation.final(final(1, { seq: 4, replayOf: 7 }));
    reconciliation.final(final(2, { seq: 5, replayOf: 8 }));
    reconciliation.final(final(3, { seq: 6, replayOf: 9 }));
    reconciliation.record(
      { kind: "replayed", ...removal, message: "CASINO_EVENTS:1", storedAs: "CASINO_EVENTS:4" },
      1,
    );
    reconciliation.letter(letter({ seq: 8, step: "archiver", message: "CASINO_EVENTS:2" }));
    reconciliation.close(3);
    expect(reconciliation.replayed.count).toBe(2);
    expect(reconciliation.doubled.first).toEqual(["casino:test:3 (CASINO_EVENTS 6)"]);
  });

  test("may be there again when its letter was sent back twice, too long apart to be dropped", () => {
    const reconciliation = open(2);
    for (const number of [1, 2]) {
      reconciliation.final(final(number, { wasReplayed: true }));
      reconciliation.final(final(number, { wasReplayed: true, seq: number + 2 }));
    }
    reconciliation.record(
      { kind: "replayed", ...removal, accepted: accepted(1), storedAs: "CASINO_PRICED:9" },
      1,
    );
    reconciliation.close(2);
    expect(reconciliation.replayed.first).toEqual(["casino:test:1 (CASINO_EVENTS 3)"]);
    expect(reconciliation.doubled.first).toEqual(["casino:test:2 (CASINO_EVENTS 4)"]);
  });

  test("is a stranger without a number, or with one that was never given out", () => {
    const reconciliation = open(1);
    reconciliation.final(final(1));
    reconciliation.final(final(2, { accepted: undefined }));
    for (const number of [7, 9, 10]) reconciliation.final(final(number));
    reconciliation.close(8);
    expect(reconciliation.strangers.first).toEqual([
      "casino:test:2 (CASINO_EVENTS 2)",
      "casino:test:9 (CASINO_EVENTS 9)",
      "casino:test:10 (CASINO_EVENTS 10)",
    ]);
  });

  test("that its producer sent again counts as that", () => {
    const reconciliation = open(2);
    expect(reconciliation.final(final(1))).toBe(true);
    expect(reconciliation.final(final(2, { key: { client: "casino", source: "test", id: 1 } }))).toBe(false);
    reconciliation.close(2);
    expect(reconciliation.doubled.count).toBe(0);
    expect(reconciliation.sentTwice).toEqual(new Map([["casino", 1]]));
  });
});

describe("once the streams have forgotten", () => {
  test("numbers count one by one from the first that is known to be young enough", () => {
    const reconciliation = open(100, { since: created + 50 });
    for (let number = 40; number <= 100; number++)
      if (![45, 50, 70].includes(number)) reconciliation.final(final(number));
    const { first, sum, lost } = reconciliation.close(100);
    // 50 may have been accepted too early, for all that is known.
    expect(first).toBe(51);
    expect(sum.counts.final).toBe(58);
    expect(lost.first).toEqual(["CASINO_RAW 70"]);
    expect(sum.unknownBefore).toBe(50 - 9);
  });

  test("with nothing left, the last one accepted is still young enough", () => {
    const { first, lost } = open(10, { since: created + 5 }).close(10);
    expect([first, lost.first]).toEqual([10, ["CASINO_RAW 10"]]);
    expect(open(10, { since: created + 11 }).close(10)).toMatchObject({
      first: 11,
      sum: { unknownBefore: 10 },
    });
  });

  test("a copy of an event that may have been forgotten is believed", () => {
    const reconciliation = open(2, { since: created + 1 });
    reconciliation.copy({ accepted: accepted(1), event: "casino:test:77", copyOf: 1 });
    reconciliation.final(final(2));
    expect(reconciliation.close(2).sum.counts).toMatchObject({ copy: 1, final: 1 });
  });
});
