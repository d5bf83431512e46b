import { setTimeout as sleep } from "node:timers/promises";
import { backOff } from "../actor/back-off.ts";
import { deadLetterOf } from "../actor/dead-letter.ts";
import type { Delivery } from "../jetstream/delivery.ts";
import type { Mailbox } from "../jetstream/mailbox.ts";
import { PublishError, type Publisher } from "../jetstream/publisher.ts";
import { clientOf } from "../jetstream/subjects.ts";
import type { Log } from "../log.ts";
import type { Refusal } from "./row.ts";

/** While the broker is away or CASINO_DEAD is full: the longest pause between attempts. */
const longestAttemptGap = 5;

interface SetAsideOptions {
  readonly step: string;
  readonly mailbox: Mailbox;
  readonly publisher: Publisher;
  readonly log: Log;
  /** Aborted at a stop: what is not stored by then is handed back. */
  readonly stopping: AbortSignal;
}

/**
 * Makes dead letters of deliveries: publishes each until the stream holds it, and only then settles its source. Never
 * rejects.
 */
export function setAsideWith({ step, mailbox, publisher, log, stopping }: SetAsideOptions) {
  return async (delivery: Delivery, { reason, because }: Refusal): Promise<void> => {
    const client = clientOf(delivery.subject);
    const position = { client, reason, stream: delivery.stream, seq: delivery.streamSequence };
    const letter = deadLetterOf(delivery, step, client, reason, because);
    for (let attempt = 1; ; attempt++) {
      try {
        await publisher.publish(letter);
        log.warn(position, because);
        mailbox.term(delivery);
        return;
      } catch (err) {
        if (stopping.aborted) return mailbox.nak(delivery);
        if (err instanceof PublishError && err.isTooLarge) {
          // Only when the server's max_payload was lowered below what it had accepted before.
          log.error({ err, ...position }, "a dead letter does not fit: raise max_payload of the server");
          return mailbox.nak(delivery, backOff(delivery.deliveries));
        }
        if (attempt === 1)
          log.warn({ err, ...position }, "a dead letter cannot be published, it is tried again");
        const pause = backOff(Math.min(attempt, longestAttemptGap));
        await sleep(pause, undefined, { signal: stopping }).catch(() => undefined);
      }
    }
  };
}
