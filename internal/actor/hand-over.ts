import type { Delivery } from "../jetstream/delivery.ts";
import type { Mailbox } from "../jetstream/mailbox.ts";
import { type Outgoing, PublishError, type Publisher } from "../jetstream/publisher.ts";
import { clientOf } from "../jetstream/subjects.ts";
import type { Log } from "../log.ts";
import { backOff } from "./back-off.ts";
import { type DeadReason, deadLetterOf } from "./dead-letter.ts";
import type { Outage } from "./outage.ts";
import type { Stop } from "./stop.ts";

export interface HandOverOptions {
  /** The step, as dead letters name it. */
  readonly name: string;
  readonly publisher: Publisher;
  readonly mailbox: Mailbox;
  readonly stop: Stop;
  readonly outage: Outage;
  readonly log: Log;
}

/**
 * Publishes something in place of a delivery, and settles the delivery only when that is stored. Until then the source
 * is held: a full stream or an absent broker means again later. When the process stops first, it is handed back.
 */
export class HandOver {
  readonly #options: HandOverOptions;

  constructor(options: HandOverOptions) {
    this.#options = options;
  }

  /** To the next stage; an event that has become too large for the broker is set aside. */
  forward(source: Delivery, message: Outgoing): void {
    this.#publish(
      message,
      source,
      () => this.#options.mailbox.ack(source),
      (err) => this.setAside(source, "too_large", `The enriched event does not fit: ${err.message}.`),
    );
  }

  /** To the dead letters. */
  setAside(source: Delivery, reason: DeadReason, because: string): void {
    const { name, log, mailbox } = this.#options;
    const client = clientOf(source.subject);
    const position = { client, reason, stream: source.stream, seq: source.streamSequence };
    this.#publish(
      deadLetterOf(source, name, client, reason, because),
      source,
      () => {
        log.warn(position, because);
        mailbox.term(source);
      },
      (err) => {
        // Only when the server's max_payload was lowered below what it had accepted before.
        log.error({ err, ...position }, "a dead letter does not fit: raise max_payload of the server");
        mailbox.nak(source, backOff(source.deliveries));
      },
    );
  }

  #publish(
    message: Outgoing,
    source: Delivery,
    onStored: () => void,
    onTooLarge: (err: PublishError) => void,
    attempt = 1,
  ): void {
    const { publisher, mailbox, stop, outage } = this.#options;
    publisher.send(message, (outcome) => {
      if (!(outcome instanceof PublishError)) {
        outage.over();
        onStored();
      } else if (outcome.isTooLarge) onTooLarge(outcome);
      else if (stop.stopping.aborted) mailbox.nak(source);
      else {
        outage.began(outcome, true);
        void stop.pauseAfter(attempt).then(() => {
          if (stop.stopping.aborted) mailbox.nak(source);
          else this.#publish(message, source, onStored, onTooLarge, attempt + 1);
        });
      }
    });
  }
}
