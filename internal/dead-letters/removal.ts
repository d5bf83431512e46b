import { type PubAck, PublishError } from "../jetstream/pub-ack.ts";
import type { Outgoing } from "../jetstream/publisher.ts";
import { ledgerMessage } from "../ledger/record.ts";
import type { Log } from "../log.ts";
import { Unavailable } from "../unavailable.ts";
import type { LetterHead } from "./letter.ts";
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
 * Removes a letter for good. The ledger holds it before: cut off in between, the letter is still there.
 * @returns false when it was gone already
 * @throws Unavailable when the letter may still be there
 */
export async function discard(head: LetterHead, options: RemovalOptions): Promise<boolean> {
  const { store, log, by } = options;
  await writeDown("discarded", head, options);
  const { seq, client, step, reason } = head;
  const removed = await store.remove(seq);
  if (removed) log.info({ seq, client, step, reason, by }, "dead letter discarded");
  return removed;
}

/** Writes into the ledger that a letter is about to go. @param storedAs where it was sent @throws Unavailable */
export async function writeDown(
  kind: "replayed" | "discarded",
  { seq: letter, step, message, messageId, accepted }: LetterHead,
  { publish, by }: RemovalOptions,
  storedAs?: PubAck,
): Promise<void> {
  const record = { kind, step, letter, message, messageId, accepted, by };
  const place = storedAs === undefined ? {} : { storedAs: `${storedAs.stream}:${storedAs.seq}` };
  try {
    await publish(ledgerMessage({ ...record, ...place }));
  } catch (cause) {
    if (!(cause instanceof PublishError)) throw cause;
    throw new Unavailable(`The ledger cannot be written, so dead letter ${letter} stays: ${cause.message}.`, {
      cause,
    });
  }
}
