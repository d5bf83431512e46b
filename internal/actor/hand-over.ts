import type { Delivery } from "../jetstream/delivery.ts";
import type { Mailbox } from "../jetstream/mailbox.ts";
import { type PubAck, PublishError } from "../jetstream/pub-ack.ts";
import type { Outgoing, Publisher } from "../jetstream/publisher.ts";
import { clientOf } from "../jetstream/subjects.ts";
import { type Dropped, ledgerMessage } from "../ledger/record.ts";
import type { Log } from "../log.ts";
import { backOff } from "./back-off.ts";
import { type DeadReason, deadLetterOf } from "./dead-letter.ts";
import type { Envelope } from "./envelope.ts";
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

/** A delivery whose forward was dropped as a copy, and what the ledger says of it. */
interface Copy {
  readonly source: Delivery;
  readonly stream: string;
  readonly dropped: Dropped;
}

/** What is published in place of deliveries. */
interface Publication {
  readonly message: Outgoing;
  readonly sources: readonly Delivery[];
  readonly onStored: (ack: PubAck) => void;
  readonly onTooLarge: (why: PublishError) => void;
  /** The process has stopped first, and the sources are handed back. */
  readonly onGivenUp?: () => void;
}

/** Copies in one record: some 100 KB. */
const mostCopies = 1_000;

/**
 * Publishes something in place of a delivery, and settles the delivery only when that is stored. Until then the source
 * is held: a full stream or an absent broker means again later. When the process stops first, it is handed back.
 */
export class HandOver {
  readonly #options: HandOverOptions;
  /** Forwards that the next stream dropped as copies, to be written down before their sources are acknowledged. */
  #copies: Copy[] = [];
  #recording = false;

  constructor(options: HandOverOptions) {
    this.#options = options;
  }

  /** To the next stage; an event that has become too large for the broker is set aside. */
  forward(source: Delivery, message: Outgoing, envelope: Envelope, id: number): void {
    // Nothing more than one closure until something is refused: each event passes here once per step.
    this.#options.publisher.send(message, (outcome) => {
      if (!(outcome instanceof PublishError)) this.#onForwarded(source, envelope, id, outcome);
      else
        this.#onRefused(outcome, {
          message,
          sources: [source],
          onStored: (ack) => this.#onForwarded(source, envelope, id, ack),
          onTooLarge: (err) =>
            this.setAside(source, "too_large", `The enriched event does not fit: ${err.message}.`),
        });
    });
  }

  #onForwarded(source: Delivery, envelope: Envelope, id: number, ack: PubAck): void {
    const { outage, mailbox } = this.#options;
    outage.over();
    if (ack.duplicate) this.#onCopy(source, envelope, id, ack);
    else mailbox.ack(source);
  }

  /** To the dead letters. */
  setAside(source: Delivery, reason: DeadReason, because: string): void {
    const { name, log, mailbox } = this.#options;
    const client = clientOf(source.subject);
    const position = { client, reason, stream: source.stream, seq: source.streamSequence };
    this.#publish({
      message: deadLetterOf(source, name, client, reason, because),
      sources: [source],
      onStored: () => {
        log.warn(position, because);
        mailbox.term(source);
      },
      onTooLarge: (err) => {
        // Only when the server's max_payload was lowered below what it had accepted before.
        log.error({ err, ...position }, "a dead letter does not fit: raise max_payload of the server");
        mailbox.nak(source, backOff(source.deliveries));
      },
    });
  }

  /**
   * The next stream had one of this event already: its own, if it came again after it was forwarded, or another one's. Which
   * of them, the ledger's readers find out: here it is only written down, so that an accepted event never ends unseen.
   */
  #onCopy(source: Delivery, { accepted = "", ...envelope }: Envelope, id: number, ack: PubAck): void {
    const dropped = { accepted, event: `${envelope.client}:${envelope.source}:${id}`, copyOf: ack.seq };
    this.#copies.push({ source, stream: ack.stream, dropped });
    if (!this.#recording) this.#recordCopies();
  }

  /** One record at a time, of all that came while the one before was on its way. */
  #recordCopies(): void {
    this.#recording = true;
    setImmediate(() => {
      const { name, mailbox, log } = this.#options;
      const copies = this.#copies.splice(0, mostCopies);
      const sources = copies.map((copy) => copy.source);
      const dropped = copies.map((copy) => copy.dropped);
      const stream = copies[0]?.stream ?? "";
      const next = (): void => {
        if (this.#copies.length > 0) this.#recordCopies();
        else this.#recording = false;
      };
      this.#publish({
        message: ledgerMessage({ kind: "duplicates", step: name, stream, dropped }),
        sources,
        onStored: () => {
          for (const source of sources) mailbox.ack(source);
          next();
        },
        onTooLarge: (err) => {
          log.error({ err }, "a record of the ledger does not fit: raise max_payload of the server");
          for (const source of sources) mailbox.nak(source, backOff(source.deliveries));
          next();
        },
        onGivenUp: next,
      });
    });
  }

  /** Until it is stored, or the process stops. */
  #publish(publication: Publication, attempt = 1): void {
    const { publisher, outage } = this.#options;
    publisher.send(publication.message, (outcome) => {
      if (outcome instanceof PublishError) this.#onRefused(outcome, publication, attempt);
      else {
        outage.over();
        publication.onStored(outcome);
      }
    });
  }

  #onRefused(why: PublishError, publication: Publication, attempt = 1): void {
    const { stop, outage } = this.#options;
    if (why.isTooLarge) publication.onTooLarge(why);
    else if (stop.stopping.aborted) this.#handBack(publication);
    else {
      outage.began(why, true);
      void stop.pauseAfter(attempt).then(() => {
        if (stop.stopping.aborted) this.#handBack(publication);
        else this.#publish(publication, attempt + 1);
      });
    }
  }

  #handBack({ sources, onGivenUp }: Publication): void {
    for (const source of sources) this.#options.mailbox.nak(source);
    onGivenUp?.();
  }
}
