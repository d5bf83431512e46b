import { describe, expect, test } from "vitest";
import { holds } from "./check.ts";
import { accountedCheck, olderCheck, unlessAmbiguous } from "./conservation-checks.ts";
import { Names } from "./names.ts";
import type { Closing } from "./reconciliation.ts";

const counts = { final: 0, waiting: 0, dead: 0, sentAgain: 0, discarded: 0, erased: 0, copy: 0, moving: 0 };
const closing = (unknown: number, unknownBefore: number, more: Partial<Closing> = {}): Closing => ({
  first: unknownBefore + 1,
  sum: { counts, unopened: 0, unknown, firstUnknown: [], unknownBefore },
  lost: new Names(10),
  swallowed: new Names(10),
  cut: new Names(10),
  isAmbiguous: false,
  isSuccessor: false,
  ...more,
});

describe("accepted events", () => {
  test.each([
    ["all known", 0, 0, "holds", 0],
    ["unknown, and no longer queue to be in", 3, 2, "violated", 1],
    ["unknown, and perhaps in a queue that was not read", 2, 2, "unchecked", 0],
  ])("%s", (_what, unknown, unread, verdict, count) => {
    expect(accountedCheck(closing(unknown, 0), { unread })).toMatchObject({ verdict, count });
  });

  test("whose numbers two streams may have given out prove nothing", () => {
    const check = accountedCheck(closing(3, 0), { unread: 0 });
    expect(unlessAmbiguous(closing(3, 0), check)).toBe(check);
    const ambiguous = closing(3, 0, { isAmbiguous: true });
    expect(unlessAmbiguous(ambiguous, check)).toMatchObject({ name: "accounted", verdict: "unchecked" });
    const other = holds("holes", "There are none.");
    expect(unlessAmbiguous(ambiguous, other)).toBe(other);
  });
});

describe("older events", () => {
  test.each<[string, Closing, readonly string[], string, RegExp]>([
    ["there are none", closing(0, 0), [], "holds", /^The streams still have everything/],
    [
      "have gone",
      closing(0, 103),
      [],
      "unchecked",
      /^Of 103 .* before number 104 .*: the streams keep no longer\.$/,
    ],
    [
      "were accepted by a stream that is gone",
      closing(0, 0, { isSuccessor: true }),
      [],
      "unchecked",
      /^CASINO_RAW was made anew, .* nobody knows\.$/,
    ],
    [
      "lay in a stream that is gone",
      closing(0, 9),
      ["CASINO_EVENTS"],
      "unchecked",
      /: CASINO_EVENTS was made anew\.$/,
    ],
  ])("%s", (_what, closed, madeAnew, verdict, sentence) => {
    expect(olderCheck(closed, madeAnew)).toMatchObject({
      verdict,
      sentence: expect.stringMatching(sentence),
    });
  });
});
