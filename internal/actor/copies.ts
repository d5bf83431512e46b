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

/** Copies in one record: at most some 50 KB, which even a broker with a small max_payload takes. */
const mostCopies = 250;

const finalStream = stageStream(finalStage);

/** Whether what was just forwarded is a copy of what the log has. Further up an id is of this very forward. */
export function isCopy(ack: PubAck): boolean {
  return ack.duplicate && ack.stream === finalStream;
}

/**
 * Writes down the events that CASINO_EVENTS dropped because it had them: its own, that came again after they were forwarded, or
 * others that were sent under the same id. Which of them, `prove` finds out: here an accepted event only never ends unseen.
 */
export class CopyRecords {
  readonly #options: CopyRecordsOptions;
  #waiting: { readonly source: Delivery; readonly copy: Copy }[] = [];
  #isRecording = false;

  constructor(options: CopyRecordsOptions) {
    this.#options = options;
  }

  /** The source is done with once the copy is written down. */
  add(source: Delivery, { accepted = "", ...envelope }: Envelope, id: number, ack: PubAck): void {
    const event = keyText({ client: envelope.client, source: envelope.source, id });
    this.#waiting.push({ source, copy: { accepted, event, copyOf: ack.seq } });
    if (!this.#isRecording) this.#record();
  }

  /** One record at a time, of all that came while the one before was on its way. */
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
