import { JetStreamApiError } from "@nats-io/jetstream";
import type { NatsConnection } from "nats";
import type { Outgoing } from "../jetstream/publisher.ts";
import { readLast } from "../jetstream/stored-message.ts";
import { OutgoingHeaders } from "../jetstream/wire-headers.ts";
import { isObject, readJson } from "../service/json.ts";
import { Unavailable } from "../service/unavailable.ts";
import { ledgerStream, ledgerSubject } from "./subjects.ts";

const kinds = ["replaying", "replayed", "discarded", "erased"] as const;

/** What becomes of a dead letter, recorded before it goes: of several records of a letter the last one counts. */
export interface LetterRecord {
  /**
   * `replaying`: it is about to be replayed; `replayed`: its message is stored; `discarded`: nobody wants it; `erased`:
   * it contained personal data, and was rewritten without them where possible.
   */
  readonly kind: (typeof kinds)[number];
  /** Its sequence in CASINO_DEAD. */
  readonly letter: number;
  /** Its `Nats-Msg-Id`, which distinguishes letters of the same sequence in successive streams. */
  readonly id: string;
  readonly client: string;
  /** The step that had set it aside. */
  readonly step: string;
  /** The message that was set aside, `<stream>:<sequence>`; empty when the letter does not tell. */
  readonly message: string;
  /** The header `Casino-Accepted`; empty when the letter has none. */
  readonly accepted: string;
  /** Of a replay: known only to this ledger and the message that was sent. */
  readonly token?: string;
  /** Of a replay: the number of replays, including this one. */
  readonly replays?: number;
  /** The message made from it, `<stream>:<sequence>`, if it was replayed or rewritten. */
  readonly storedAs?: string;
  readonly by: string;
}

/**
 * The message that stores a record.
 * @param after the sequence of the letter's last record, 0 when there is none: refused when there is a newer one
 */
export function ledgerMessage({ letter, ...body }: LetterRecord, after?: number): Outgoing {
  const headers = new OutgoingHeaders();
  if (after !== undefined) headers.add("Nats-Expected-Last-Subject-Sequence", String(after));
  return { subject: ledgerSubject(letter), payload: JSON.stringify(body), headers };
}

/** Parses a message of the ledger; undefined when it is malformed. */
export function readRecord(subject: string, payload: Uint8Array): LetterRecord | undefined {
  const letter = Number(/^casino\.ledger\.letter\.([1-9]\d{0,15})$/.exec(subject)?.[1]);
  if (!Number.isSafeInteger(letter)) return undefined;
  const body = readJson(Buffer.from(payload).toString());
  if (!isObject(body)) return undefined;
  const { id, client, step, message, accepted, by, token, replays, storedAs } = body;
  const kind = kinds.find((each) => each === body.kind);
  if (kind === undefined || !isText(id) || !isText(client) || !isText(step)) return undefined;
  if (!isText(message) || !isText(accepted) || !isText(by)) return undefined;
  return {
    ...{ kind, letter, id, client, step, message, accepted, by },
    ...(isText(token) ? { token } : {}),
    ...(Number.isSafeInteger(replays) ? { replays: Number(replays) } : {}),
    ...(isText(storedAs) ? { storedAs } : {}),
  };
}

const isText = (value: unknown): value is string => typeof value === "string";

export interface LastRecord {
  readonly record: LetterRecord | undefined;
  /** Its sequence in the ledger, and when it was stored, in ms since the epoch; 0 when there is none. */
  readonly seq: number;
  readonly storedAt: number;
}

/** The ledger's last record of the letter with this number. @throws Unavailable */
export async function lastRecordOf(nc: NatsConnection, letter: number): Promise<LastRecord> {
  const subject = ledgerSubject(letter);
  try {
    const found = await readLast(nc, ledgerStream, subject);
    const { seq = 0, storedAt = 0 } = found ?? {};
    return { record: found && readRecord(subject, found.data), seq, storedAt };
  } catch (cause) {
    if (!(cause instanceof JetStreamApiError)) throw cause;
    throw new Unavailable(`The ledger cannot be read: ${cause.message}.`, { cause });
  }
}
