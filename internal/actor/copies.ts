import type { Delivery } from "../jetstream/delivery.ts";
import type { Mailbox } from "../jetstream/mailbox.ts";
import type { PubAck } from "../jetstream/pub-ack.ts";
import type { Publisher } from "../jetstream/publisher.ts";
import type { UntilStored } from "../jetstream/until-stored.ts";
import { type Copy, copiesMessage } from "../messages/copies.ts";
import type { Envelope } from "../messages/envelope.ts";
import { keyText } from "../messages/event-key.ts";
import { finalStage, stageStream } from "../messages/subjects.ts";
import { backOff } from "../service/back-off.ts";
import type { Log } from "../service/log.ts";

export interface CopyRecordsOptions {
  readonly step: string;
  readonly publisher: Publisher;
  readonly mailbox: Mailbox;
  readonly untilStored: UntilStored;
  readonly log: Log;
}

/** Copies in one record: some 50 KB at most, which even a broker with a small max_payload takes. */
const mostCopies = 250;

const finalStream = stageStream(finalStage);

/** Whether an event just forwarded is a copy of one in the log. Before the log, ids belong to this very forward. */
export function isCopy(ack: PubAck): boolean {
  return ack.duplicate && ack.stream === finalStream;
}

/**
 * Records the events that CASINO_EVENTS dropped as duplicates: either an earlier forward of the same event, or
 * another event sent under the same id. `prove` finds out which; the record only makes sure that no accepted event
 * vanishes.
 */
export class CopyRecords {
  readonly #options: CopyRecordsOptions;
  #waiting: { readonly source: Delivery; readonly copy: Copy }[] = [];
  #isRecording = false;

  constructor(options: CopyRecordsOptions) {
    this.#options = options;
  }

  /** Settles the source once the copy is recorded. */
  add(source: Delivery, { accepted = "", ...envelope }: Envelope, id: number, ack: PubAck): void {
    const event = keyText({ client: envelope.client, source: envelope.source, id });
    this.#waiting.push({ source, copy: { accepted, event, copyOf: ack.seq } });
    if (!this.#isRecording) this.#record();
  }

  /** One record at a time, with all copies that came while the last one was on its way. */
  #record(): void {
    this.#isRecording = true;
    setImmediate(() => {
      const { step, mailbox, log, publisher, untilStored } = this.#options;
      const dropped = this.#waiting.splice(0, mostCopies);
      const copies = dropped.map(({ copy }) => copy);
      const message = copiesMessage(step, finalStream, copies);
      const settle = (how: (source: Delivery) => void): void => {
        for (const { source } of dropped) how(source);
        if (this.#waiting.length > 0) this.#record();
        else this.#isRecording = false;
      };
      untilStored.publish({
        publish: (onSettled) => publisher.send(message, onSettled),
        what: "record of copies",
        onStored: () => settle((source) => mailbox.ack(source)),
        onTooLarge: (err) => {
          log.error({ err }, "a record of copies does not fit: raise max_payload of the server");
          settle((source) => mailbox.nak(source, backOff(source.deliveries)));
        },
        onGivenUp: () => settle((source) => mailbox.nak(source)),
      });
    });
  }
}
