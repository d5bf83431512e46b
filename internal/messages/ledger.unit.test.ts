import { describe, expect, test } from "vitest";
import { type LetterRecord, ledgerMessage, readRecord } from "./ledger.ts";

const letter = {
  letter: 12,
  id: "1641817000123:4700:player:0:dead",
  client: "casino",
  step: "player",
  message: "CASINO_PRICED:4711",
  accepted: "4700 1641817000123",
  by: "key 3",
};
const replay = { token: "0af7651916cd43dd8448eb211c80319c", replays: 1 };
const records: readonly LetterRecord[] = [
  { kind: "replaying", ...letter, ...replay },
  { kind: "replayed", ...letter, ...replay, storedAs: "CASINO_PRICED:4800" },
  { kind: "discarded", ...letter },
];

describe("a record of the ledger", () => {
  test.each(records)("of $kind is read as it was written", (record) => {
    const { subject, payload } = ledgerMessage(record);
    expect(subject).toBe("casino.ledger.letter.12");
    expect(readRecord(subject, Buffer.from(payload))).toEqual(record);
  });

  const text = JSON.stringify({ kind: "discarded", ...letter });
  test.each([
    ["casino.ledger.letter.12", "nonsense"],
    ["casino.ledger.letter.12", "[]"],
    ["casino.ledger.letter.12", '{"kind":"discarded"}'],
    ["casino.ledger.letter.12", text.replace("discarded", "burned")],
    ["casino.ledger.letter.0", text],
    ["casino.ledger.letter.twelve", text],
    ["casino.ledger.letter.12.more", text],
    ["casino.ledger.discarded.player", text],
  ])("is nothing else that lies there: %s %s", (subject, payload) => {
    expect(readRecord(subject, Buffer.from(payload))).toBeUndefined();
  });
});
