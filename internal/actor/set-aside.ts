import type { NatsConnection } from "nats";
import { isSource } from "../casino/event.ts";
import type { Delivery } from "../jetstream/delivery.ts";
import type { Mailbox } from "../jetstream/mailbox.ts";
import type { Publisher } from "../jetstream/publisher.ts";
import type { UntilStored } from "../jetstream/until-stored.ts";
import type { DeadMessage, DeadReason } from "../messages/dead-letter.ts";
import { isTraceparent } from "../messages/envelope.ts";
import type { ReplayClaims } from "../messages/replay-claim.ts";
import { backOff } from "../service/back-off.ts";
import type { Log } from "../service/log.ts";
import { LogLimit } from "../service/log-limit.ts";
import { LetterWriter } from "./letter-writer.ts";

export interface SetAsideMeter {
  /** An event was set aside, or a message whose events are unknown. */
  setAside(reason: DeadReason): void;
}

export interface SetAsideOptions {
  /** The step or reader, as dead letters name it. */
  readonly step: string;
  readonly nc: NatsConnection;
  readonly publisher: Publisher;
  readonly mailbox: Mailbox;
  readonly untilStored: UntilStored;
  /** Shared with the code that opens messages, so that a claim is not looked up twice. */
  readonly claims?: ReplayClaims;
  readonly log: Log;
  readonly meter?: SetAsideMeter | undefined;
}

/** Why something is set aside. */
export interface Verdict {
  readonly client: string;
  readonly reason: DeadReason;
  /** One sentence. */
  readonly because: string;
  /** The event's id, where it could be read. */
  readonly eventId?: number | undefined;
}

/** Sets aside what can never succeed: settles its source once CASINO_DEAD holds the letter. */
export class SetAside {
  readonly #options: SetAsideOptions;
  readonly #letters: LetterWriter;
  readonly #lines: LogLimit;
  /** Messages that do not fit into CASINO_DEAD, however they are cut. */
  readonly #unplaced = new Set<string>();

  constructor(options: SetAsideOptions) {
    this.#options = options;
    this.#letters = new LetterWriter(options.nc, options.publisher, options.claims);
    this.#lines = new LogLimit(options.log);
  }

  /** What keeps events waiting although nothing is away, else undefined: for readiness. */
  get problem(): string | undefined {
    const [first] = this.#unplaced;
    return first === undefined
      ? undefined
      : `${this.#unplaced.size} messages cannot be set aside, ${first} for one: CASINO_DEAD takes nothing of that size; raise its max_msg_size`;
  }

  /** @param message what the letter is made of: the delivery itself, or one of its events */
  put(delivery: Delivery, message: DeadMessage, { client, reason, because, eventId }: Verdict): void {
    const { step, log, meter, mailbox, untilStored } = this.#options;
    const position = { stream: delivery.stream, seq: delivery.streamSequence };
    const [source, traceparent] = ["Casino-Source", "traceparent"].map((name) => message.headers.get(name));
    const details = {
      ...position,
      accepted: message.event?.accepted,
      // Only plausible values of what a producer wrote: a header may have 60 KB.
      source: isSource(source ?? "") ? source : undefined,
      event_id: eventId,
      traceparent: isTraceparent(traceparent ?? "") ? traceparent : undefined,
    };
    const place = `${delivery.stream} ${delivery.streamSequence}`;
    untilStored.publish({
      publish: (onSettled) => this.#letters.attempt(message, { step, client, reason, because }, onSettled),
      what: "dead letter",
      onStored: ({ seq: letter, duplicate }) => {
        this.#unplaced.delete(place);
        if (!duplicate) meter?.setAside(reason);
        const message = `dead letter ${letter}: ${because}`;
        this.#lines.line("warn", { client, reason }, { ...details, letter }, message);
        if (delivery.events === 1) mailbox.term(delivery);
        else mailbox.ack(delivery);
      },
      onTooLarge: (err) => {
        // Only when CASINO_DEAD has a limit below a kilobyte.
        this.#unplaced.add(place);
        log.error(
          { err, client, reason, ...position },
          "a dead letter does not fit: raise max_msg_size of CASINO_DEAD",
        );
        mailbox.nak(delivery, backOff(delivery.deliveries));
      },
      onGivenUp: () => mailbox.nak(delivery),
    });
  }
}
