import { describe, expect, test } from "vitest";
import { type LedgerRecord, ledgerMessage, readRecord } from "./record.ts";

const removal = {
  step: "player",
  letter: 12,
  message: "CASINO_PRICED:4711",
  messageId: "casino:nats:7:priced",
  accepted: "4700 1641817000123",
  by: "key 3",
};
const records: readonly LedgerRecord[] = [
  {
    kind: "duplicates",
    step: "currency",
    stream: "CASINO_PRICED",
    dropped: [{ accepted: "4711 1641817000123", event: "casino:nats:7", copyOf: 12 }],
  },
  { kind: "replayed", ...removal, storedAs: "CASINO_PRICED:4800" },
  { kind: "discarded", ...removal },
];

describe("a record of the ledger", () => {
  test.each(records)("of $kind is read as it was written", (record) => {
    const { subject, payload } = ledgerMessage(record);
    expect(subject).toBe(`casino.ledger.${record.kind}.${record.step}`);
    expect(readRecord(subject, Buffer.from(payload))).toEqual(record);
  });

  test.each([
    ["casino.ledger.duplicates.currency", "nonsense"],
    ["casino.ledger.duplicates.currency", '{"stream":"CASINO_PRICED","dropped":[{}]}'],
    ["casino.ledger.duplicates.currency", '{"stream":"CASINO_PRICED","dropped":{}}'],
    ["casino.ledger.duplicates", '{"stream":"CASINO_PRICED","dropped":[]}'],
    ["casino.ledger.duplicates.currency.more", '{"stream":"CASINO_PRICED","dropped":[]}'],
    ["casino.ledger.discarded.player", '{"letter":0,"message":"","accepted":"","messageId":"","by":""}'],
    ["casino.ledger.discarded.player", "[]"],
    ["casino.ledger.burned.player", JSON.stringify(removal)],
  ])("is nothing that anybody may publish there: %s %s", (subject, text) => {
    expect(readRecord(subject, Buffer.from(text))).toBeUndefined();
  });
});
