import { StreamMissing } from "../jetstream/api.ts";
import { PublishError } from "../jetstream/pub-ack.ts";
import type { Outgoing } from "../jetstream/publisher.ts";
import { deleteStored, readStored, type StoredMessage } from "../jetstream/stored-message.ts";
import { sequencesIn } from "../jetstream/stream-state.ts";
import { OutgoingHeaders } from "../jetstream/wire-headers.ts";
import { deliverySubject } from "../messages/retry.ts";
import { parseEventSubject, retryStream } from "../messages/subjects.ts";
import { Unavailable } from "../service/unavailable.ts";
import type { LetterErasureOptions } from "./letters.ts";
import { type Person, withoutPerson } from "./person.ts";

/** Messages read at once. A work queue admits no second consumer, so each is read by its number. */
const atOnce = 16;

/**
 * Removes a person from the deliveries that wait for another attempt: each is rewritten with its due time and attempts,
 * and then removed. If interrupted in between, it is delivered twice, which receivers recognize by its id.
 * @returns how many
 * @throws Unavailable, and the signal's reason
 */
export async function eraseRetries(person: Person, options: LetterErasureOptions): Promise<number> {
  const { nc, signal } = options;
  let rewritten = 0;
  const read = async (seqs: readonly number[]): Promise<void> => {
    signal.throwIfAborted();
    const found = await Promise.all(seqs.map((seq) => readStored(nc, retryStream, seq)));
    for (const message of found)
      if (message !== undefined) rewritten += await replace(message, person, options);
  };
  const seqs: number[] = [];
  try {
    for await (const seq of sequencesIn(nc, retryStream)) {
      seqs.push(seq);
      if (seqs.length === atOnce) await read(seqs.splice(0));
    }
  } catch (err) {
    // No sender has ever run.
    if (!(err instanceof StreamMissing)) throw err;
  }
  await read(seqs);
  return rewritten;
}

async function replace(
  message: StoredMessage,
  person: Person,
  { nc, publish }: LetterErasureOptions,
): Promise<0 | 1> {
  const { seq, subject, headers, data } = message;
  const text = Buffer.from(data).toString();
  const client = parseEventSubject(deliverySubject(headers))?.client ?? "";
  const without = withoutPerson(text, client, person);
  if (without === undefined || without === text) return 0;
  const anew: Outgoing = {
    subject,
    payload: without,
    headers: new OutgoingHeaders().add("Nats-Msg-Id", `${headers.get("Nats-Msg-Id")}:erased`),
  };
  for (const [name, value] of headers.entries()) if (!/^nats-/i.test(name)) anew.headers.add(name, value);
  try {
    await publish(anew);
  } catch (cause) {
    if (!(cause instanceof PublishError)) throw cause;
    throw new Unavailable(`A waiting delivery cannot be written anew: ${cause.message}.`, { cause });
  }
  await deleteStored(nc, retryStream, seq, true);
  return 1;
}
