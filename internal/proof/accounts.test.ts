import { describe, expect, test } from "vitest";
import type { LetterHead } from "../dead-letters/letter.ts";
import { ReceivedHeaders } from "../jetstream/wire-headers.ts";
import { Accounts, type AccountsOptions } from "./accounts.ts";
import type { FinalEvent } from "./final-event.ts";
import type { StreamState } from "./stream-state.ts";

const created = 1_000_000;
const raw = (lastSeq: number): StreamState => ({
  stream: "CASINO_RAW",
  created,
  maxAgeMs: 0,
  maxBytes: 0,
  replicas: 1,
  messages: 0,
  bytes: 0,
  firstSeq: lastSeq + 1,
  gone: 0,
  lastSeq,
  lastAt: created + lastSeq,
  firstAt: 0,
});
const open = (accepted: number, more: Partial<AccountsOptions> = {}) =>
  new Accounts({ raw: raw(accepted), since: 0, ledgerBefore: 100, names: 10, ...more });
/** A final event made of an accepted one; each was accepted a millisecond after the one before. */
const final = (number: number, more: Partial<FinalEvent> = {}): FinalEvent => ({
  seq: number,
  storedAt: created + number,
  key: { client: "casino", source: "test", id: number },
  accepted: { number, at: created + number },
  replayOf: undefined,
  wasReplayed: false,
  ...more,
});
const letter = (more: Partial<LetterHead>): LetterHead => ({
  seq: 1,
  at: "",
  step: "currency",
  client: "casino",
  reason: "invalid_event",
  error: "",
  failedOn: "",
  deliveries: 1,
  replays: 0,
  bytes: 0,
  message: "",
  messageId: "",
  accepted: "",
  ...more,
});
const removal = { step: "currency", letter: 1, message: "", messageId: "", accepted: "", by: "test" };
const accepted = (number: number) => `${number} ${created + number}`;

describe("an accepted event is accounted for", () => {
  test.each<[string, string, (accounts: Accounts) => void]>([
    ["in the first queue", "waiting", (it) => it.waitingAtFirst(1)],
    [
      "in a later queue",
      "waiting",
      (it) => {
        const headers = new ReceivedHeaders(`NATS/1.0\r\nCasino-Accepted: ${accepted(1)}\r\n\r\n`);
        it.waiting("priced", { seq: 9, subject: "", headers, storedAt: 0 });
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
  ])("%s", (_where, fate, found) => {
    const accounts = open(1);
    found(accounts);
    const { sum, lost } = accounts.close(1);
    expect(sum.counts).toMatchObject({ [fate]: 1 });
    expect(lost.count).toBe(0);
  });

  test("as a copy, if what it is a copy of is somewhere; and not by being a copy of itself", () => {
    const accounts = open(5);
    accounts.final(final(1));
    accounts.letter(
      letter({ message: "CASINO_PRICED:2", accepted: accepted(2), messageId: "casino:test:2:priced" }),
    );
    const dropped = [
      [1, 1],
      [3, 1],
      [4, 2],
      [5, 5],
    ].map(([number = 0, id]) => ({ accepted: accepted(number), event: `casino:test:${id}`, copyOf: 1 }));
    accounts.record({ kind: "duplicates", step: "currency", stream: "CASINO_PRICED", dropped }, 1);
    const { sum, lost } = accounts.close(5);
    expect(sum.counts).toMatchObject({ final: 1, dead: 1, copy: 2 });
    expect(lost.first).toEqual(["CASINO_RAW 5 (dropped as a copy of casino:test:5, which is nowhere)"]);
  });
});

describe("an accepted event is lost", () => {
  test("when it is nowhere, or only where a replay put it long ago", () => {
    const accounts = open(3);
    accounts.final(final(2));
    accounts.record({ kind: "replayed", ...removal, accepted: accepted(3), storedAs: "CASINO_PRICED:9" }, 99);
    expect(accounts.close(3).lost.first).toEqual(["CASINO_RAW 1", "CASINO_RAW 3"]);
  });

  test("though an earlier CASINO_RAW gave out the same number, or an archiver's letter names it", () => {
    const accounts = open(1);
    accounts.final(final(1, { accepted: { number: 1, at: created - 1 } }));
    accounts.letter(letter({ step: "archiver", message: "CASINO_EVENTS:1", accepted: accepted(1) }));
    expect(accounts.close(1).lost.first).toEqual(["CASINO_RAW 1"]);
    expect(accounts.refused).toEqual(new Set([1]));
  });
});

describe("a final event", () => {
  test("may be there again by a replay that is written down or under way, and by nothing else", () => {
    const accounts = open(3);
    for (const number of [1, 2, 3]) accounts.final(final(number));
    accounts.final(final(1, { seq: 4, replayOf: 7 }));
    accounts.final(final(2, { seq: 5, replayOf: 8 }));
    accounts.final(final(3, { seq: 6, replayOf: 9 }));
    accounts.record(
      { kind: "replayed", ...removal, message: "CASINO_EVENTS:1", storedAs: "CASINO_EVENTS:4" },
      1,
    );
    accounts.letter(letter({ seq: 8, step: "archiver", message: "CASINO_EVENTS:2" }));
    accounts.close(3);
    expect(accounts.replayed.count).toBe(2);
    expect(accounts.doubled.first).toEqual(["casino:test:3 (CASINO_EVENTS 6)"]);
  });

  test("may be there again when its letter was sent back twice, too long apart to be dropped", () => {
    const accounts = open(2);
    for (const number of [1, 2]) {
      accounts.final(final(number, { wasReplayed: true }));
      accounts.final(final(number, { wasReplayed: true, seq: number + 2 }));
    }
    accounts.record({ kind: "replayed", ...removal, accepted: accepted(1), storedAs: "CASINO_PRICED:9" }, 1);
    accounts.close(2);
    expect(accounts.replayed.first).toEqual(["casino:test:1 (CASINO_EVENTS 3)"]);
    expect(accounts.doubled.first).toEqual(["casino:test:2 (CASINO_EVENTS 4)"]);
  });

  test("is a stranger without a number, or with one that was never given out", () => {
    const accounts = open(1);
    accounts.final(final(1));
    accounts.final(final(2, { accepted: undefined }));
    for (const number of [7, 9, 10]) accounts.final(final(number));
    accounts.close(8);
    expect(accounts.strangers.first).toEqual([
      "casino:test:2 (CASINO_EVENTS 2)",
      "casino:test:9 (CASINO_EVENTS 9)",
      "casino:test:10 (CASINO_EVENTS 10)",
    ]);
  });

  test("that its producer sent again counts as that", () => {
    const accounts = open(2);
    expect(accounts.final(final(1))).toBe(true);
    expect(accounts.final(final(2, { key: { client: "casino", source: "test", id: 1 } }))).toBe(false);
    accounts.close(2);
    expect(accounts.doubled.count).toBe(0);
    expect(accounts.sentTwice).toEqual(new Map([["casino", 1]]));
  });
});

describe("once the streams have forgotten", () => {
  test("numbers count one by one from the first that is known to be young enough", () => {
    const accounts = open(100, { since: created + 50 });
    for (let number = 40; number <= 100; number++)
      if (![45, 50, 70].includes(number)) accounts.final(final(number));
    const { first, sum, lost } = accounts.close(100);
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
    const accounts = open(2, { since: created + 1 });
    const dropped = [{ accepted: accepted(1), event: "casino:test:77", copyOf: 1 }];
    accounts.record({ kind: "duplicates", step: "currency", stream: "CASINO_PRICED", dropped }, 1);
    accounts.final(final(2));
    expect(accounts.close(2).sum.counts).toMatchObject({ copy: 1, final: 1 });
  });
});
