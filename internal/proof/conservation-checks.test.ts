import { describe, expect, test } from "vitest";
import type { Closing } from "./accounts.ts";
import { accountedCheck, type Older, olderCheck } from "./conservation-checks.ts";
import { Names } from "./names.ts";
import type { StreamState } from "./stream-state.ts";

const counts = { final: 0, waiting: 0, dead: 0, sentAgain: 0, discarded: 0, copy: 0, moving: 0 };
const closing = (unknown: number, unknownBefore: number, first = unknownBefore + 1): Closing => ({
  first,
  sum: { counts, unknown, firstUnknown: [], unknownBefore },
  lost: new Names(10),
});
const queues = (unread: number) => ({ states: [], unread });

describe("accepted events", () => {
  test.each([
    ["all known", 0, 0, "holds", 0],
    ["unknown, and no longer queue to be in", 3, 2, "violated", 1],
    ["unknown, and perhaps in a queue that was not read", 2, 2, "unchecked", 0],
  ])("%s", (_what, unknown, unread, verdict, count) => {
    expect(accountedCheck(closing(unknown, 0), queues(unread))).toMatchObject({ verdict, count });
  });
});

describe("older events", () => {
  const stream = (name: string, firstSeq: number, lastSeq: number, messages: number): StreamState => ({
    stream: name,
    created: 0,
    maxAgeMs: 0,
    maxBytes: 0,
    replicas: 1,
    messages,
    bytes: 0,
    firstSeq,
    gone: 0,
    lastSeq,
    lastAt: 0,
    firstAt: 0,
  });
  /** 100 final events and 3 letters have gone by the limits; 2 letters were removed. */
  const older: Older = {
    madeAnew: [],
    log: stream("CASINO_EVENTS", 101, 500, 400),
    letters: stream("CASINO_DEAD", 6, 20, 15),
    ledger: stream("CASINO_LEDGER", 1, 9, 9),
    removedLetters: 2,
    wasCutShort: false,
  };
  test.each<[string, Closing, Partial<Older>, string, number]>([
    ["none", closing(0, 0, 1), {}, "holds", 0],
    ["as many as have gone", closing(0, 103), {}, "holds", 0],
    ["more than have gone", closing(0, 105), {}, "violated", 2],
    [
      "more, but the ledger has forgotten",
      closing(0, 105),
      { ledger: stream("CASINO_LEDGER", 2, 9, 8) },
      "unchecked",
      0,
    ],
    ["more, but a stream was made anew", closing(0, 105), { madeAnew: ["CASINO_EVENTS"] }, "unchecked", 0],
    ["fewer, though a stream was made anew", closing(0, 90), { madeAnew: ["CASINO_EVENTS"] }, "holds", 0],
    ["not looked at", closing(0, 105), { wasCutShort: true }, "unchecked", 0],
  ])("%s", (_what, closed, more, verdict, count) => {
    expect(olderCheck(closed, { ...older, ...more })).toMatchObject({ verdict, count });
  });
});
