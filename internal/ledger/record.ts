import { isObject } from "../jetstream/api.ts";
import type { Outgoing } from "../jetstream/publisher.ts";
import { ledgerSubject } from "../jetstream/subjects.ts";
import { OutgoingHeaders } from "../jetstream/wire-headers.ts";

/** A message that a stage's stream did not store, because one of the same event was there already. */
export interface Dropped {
  /** The value of the header `Casino-Accepted`: which accepted event ended here. Empty where it was none. */
  readonly accepted: string;
  /** `<client>:<source>:<id>` */
  readonly event: string;
  /** The sequence of the one that was there. */
  readonly copyOf: number;
}

/** Copies that a step forwarded and the stream of the next stage dropped. */
export interface Duplicates {
  readonly kind: "duplicates";
  readonly step: string;
  /** The stream that dropped them. */
  readonly stream: string;
  readonly dropped: readonly Dropped[];
}

/** The end of a dead letter. */
export interface LetterRemoved {
  readonly kind: "replayed" | "discarded";
  /** The step that had set it aside. */
  readonly step: string;
  /** Its sequence in CASINO_DEAD. */
  readonly letter: number;
  /** The message that was set aside, `<stream>:<sequence>`; empty when the letter does not say. */
  readonly message: string;
  /** The value of the header `Casino-Accepted`; empty for a letter of the first step. */
  readonly accepted: string;
  /** `<client>:<source>:<id>:<stage>` of the message that was set aside; empty when the letter does not say. */
  readonly messageId: string;
  /** Of a replayed one: where the message that was sent lies, `<stream>:<sequence>`. */
  readonly storedAs?: string;
  /** Who did it. */
  readonly by: string;
}

export type LedgerRecord = Duplicates | LetterRemoved;

/** The message that writes a record down. Writing it twice changes nothing: records name events, and are no counts. */
export function ledgerMessage(record: LedgerRecord): Outgoing {
  const { kind, step, ...body } = record;
  const headers = new OutgoingHeaders();
  return { subject: ledgerSubject(kind, step), payload: Buffer.from(JSON.stringify(body)), headers };
}

/** Reads a message of the ledger; undefined for one that is none. Anybody may publish there. */
export function readRecord(subject: string, payload: Uint8Array): LedgerRecord | undefined {
  const [, , kind, step, ...rest] = subject.split(".");
  if (step === undefined || rest.length > 0) return undefined;
  let body: unknown;
  try {
    body = JSON.parse(Buffer.from(payload).toString());
  } catch {
    return undefined;
  }
  if (!isObject(body)) return undefined;
  if (kind === "duplicates") {
    const { stream, dropped } = body;
    if (!isText(stream) || !Array.isArray(dropped) || !dropped.every(isDropped)) return undefined;
    return { kind, step, stream, dropped };
  }
  if (kind !== "replayed" && kind !== "discarded") return undefined;
  const { letter, message, accepted, messageId, storedAs, by } = body;
  if (!isSequence(letter) || !isText(message) || !isText(accepted) || !isText(messageId) || !isText(by))
    return undefined;
  const record: LetterRemoved = { kind, step, letter, message, accepted, messageId, by };
  return isText(storedAs) ? { ...record, storedAs } : record;
}

function isDropped(value: unknown): value is Dropped {
  return isObject(value) && isText(value.accepted) && isText(value.event) && isSequence(value.copyOf);
}

const isText = (value: unknown): value is string => typeof value === "string";
const isSequence = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) > 0;
