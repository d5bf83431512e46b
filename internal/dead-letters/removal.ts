import { type PubAck, PublishError } from "../jetstream/pub-ack.ts";
import type { Outgoing } from "../jetstream/publisher.ts";
import { type LetterRecord, ledgerMessage } from "../messages/ledger.ts";
import type { LetterHead } from "../messages/letter.ts";
import type { Log } from "../service/log.ts";
import { Unavailable } from "../service/unavailable.ts";
import type { LetterStore } from "./store.ts";

export interface RemovalOptions {
  readonly store: LetterStore;
  /** Resolves once the stream holds the message. @throws PublishError */
  readonly publish: (message: Outgoing) => Promise<PubAck>;
  readonly log: Log;
  /** Who asked for it, for log and ledger. */
  readonly by: string;
}

/**
 * Removes a letter for good. The ledger is written first: if it is interrupted, the letter still exists.
 * @returns false when it was already gone
 * @throws Unavailable when the letter may still exist
 */
export async function discard(head: LetterHead, options: RemovalOptions): Promise<boolean> {
  const { store, log, by } = options;
  await writeDown(recordOf("discarded", head, by), options);
  const { seq, client, step, reason } = head;
  const removed = await store.remove(head);
  if (removed) log.info({ seq, client, step, reason, by }, "dead letter discarded");
  return removed;
}

/** The ledger's record of a letter. */
export function recordOf(kind: LetterRecord["kind"], head: LetterHead, by: string): LetterRecord {
  const { seq: letter, id, client, step, message, accepted } = head;
  return { kind, letter, id, client, step, message, accepted, by };
}

/** Records in the ledger what becomes of a letter. @throws Unavailable */
export async function writeDown(record: LetterRecord, { publish }: RemovalOptions): Promise<void> {
  try {
    await publish(ledgerMessage(record));
  } catch (cause) {
    if (!(cause instanceof PublishError)) throw cause;
    throw new Unavailable(
      `The ledger cannot be written, so dead letter ${record.letter} stays: ${cause.message}.`,
      { cause },
    );
  }
}
