import type { StoredMessage } from "../jetstream/stored-message.ts";
import type { StreamState } from "../jetstream/stream-state.ts";
import { ReceivedHeaders } from "../jetstream/wire-headers.ts";
import type { LetterHead } from "../messages/letter.ts";
import { type FinalMessage, Reconciliation, type ReconciliationOptions } from "./reconciliation.ts";

// What tests of the reconciliation are made of.

/** A stream in which nothing ever was, without limits. */
export const emptyStream: StreamState = {
  stream: "",
  created: 0,
  maxAgeMs: 0,
  maxBytes: 0,
  maxMessages: 0,
  windowMs: 0,
  replicas: 1,
  messages: 0,
  bytes: 0,
  firstSeq: 1,
  gone: 0,
  lastSeq: 0,
  lastAt: 0,
  firstAt: 0,
};

export const created = 1_000_000;
export const raw = (lastSeq: number): StreamState => ({
  ...emptyStream,
  stream: "CASINO_RAW",
  created,
  firstSeq: lastSeq + 1,
  lastSeq,
  lastAt: created + lastSeq,
});
export const open = (accepted: number, more: Partial<ReconciliationOptions> = {}) =>
  new Reconciliation({
    raw: raw(accepted),
    windowMs: 600_000,
    since: 0,
    ledgerBefore: 100,
    names: 10,
    ...more,
  });
/** A final event made of an accepted one; each was accepted a millisecond after the one before. */
export const final = (number: number, more: Partial<FinalMessage> = {}): FinalMessage => ({
  seq: number,
  key: { client: "casino", source: "test", id: number },
  accepted: { number, at: created + number },
  replayOf: undefined,
  wasReplayed: false,
  ...more,
});
export const letter = (more: Partial<LetterHead>): LetterHead => ({
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
  accepted: "",
  id: "",
  parts: [],
  storedAt: 0,
  ...more,
});
export const removal = {
  step: "currency",
  client: "casino",
  letter: 1,
  id: "",
  message: "",
  accepted: "",
  by: "test",
};
export const waiting = (more: Partial<StoredMessage>): StoredMessage => ({
  stream: "CASINO_PRICED",
  seq: 9,
  subject: "",
  headers: new ReceivedHeaders(""),
  data: new Uint8Array(),
  storedAt: created + 1_000,
  ...more,
});
export const accepted = (number: number) => `${number} ${created + number}`;
