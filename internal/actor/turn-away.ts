import type { Delivery } from "../jetstream/delivery.ts";
import type { Mailbox } from "../jetstream/mailbox.ts";
import type { Publisher } from "../jetstream/publisher.ts";
import type { UntilStored } from "../jetstream/until-stored.ts";
import { apartMessage } from "../messages/apart.ts";
import { deadMessageOf, type Enclosed, wholeOf } from "../messages/enclosed.ts";
import { apartStream } from "../messages/subjects.ts";
import type { HopTrace } from "../messages/trace.ts";
import { backOff } from "../service/back-off.ts";
import { type Log, reasonOf } from "../service/log.ts";
import { isUnavailable } from "../service/unavailable.ts";
import type { Marks } from "./marks.ts";
import type { SetAside } from "./set-aside.ts";
import { type DeadLetter, deadLetter, type Later, later } from "./step.ts";
import { turnedAway } from "./traced.ts";
import type { Refused, Work } from "./work.ts";

/** How often an event is tried on which the step itself throws, over all processes: a new version may be on its way. */
const mostFailures = 5;

export interface TurnAwayOptions {
  readonly step: string;
  /** The stage that the step reads. */
  readonly takesFrom: string;
  readonly mailbox: Mailbox;
  readonly publisher: Publisher;
  readonly untilStored: UntilStored;
  readonly setAside: SetAside;
  readonly marks: Marks;
  readonly stopping: AbortSignal;
  readonly trace?: HopTrace | undefined;
  readonly log: Log;
}

/** Handles an event that does not go on: sets it aside, or puts it off, in its mailbox or out of its message. */
export class TurnAway {
  readonly #options: TurnAwayOptions;

  constructor(options: TurnAwayOptions) {
    this.#options = options;
  }

  /** Decides about an event that could not be handled: something is away, or this is a bug. */
  async onFailure(delivery: Delivery, err: unknown): Promise<Later | DeadLetter> {
    const { step, marks, stopping, log } = this.#options;
    const message = reasonOf(err);
    if (isUnavailable(err) || stopping.aborted) return later(message);
    const because = `The step ${step} failed: ${message}`;
    const { stream, streamSequence: seq } = delivery;
    // One of several events leaves its message; failures are counted there, where it is alone.
    const failures = delivery.events > 1 ? 0 : await marks.countFailure(delivery);
    log.error({ err, stream, seq, failures }, "a step failed on an event, this is a bug");
    return (failures ?? 0) < mostFailures ? later(because) : deadLetter("max_deliveries", because);
  }

  event({ delivery, enclosed, ...work }: Work | Refused, outcome: DeadLetter | Later): void {
    if (enclosed === undefined) this.whole(delivery, outcome);
    else if (outcome.kind === "dead-letter")
      this.#letter(delivery, enclosed, outcome, "event" in work ? work.event.id : undefined);
    else if (delivery.events > 1 && !this.#options.stopping.aborted) this.apart(delivery, enclosed);
    else this.#putOff(delivery, outcome);
    if (enclosed !== undefined) this.#options.trace?.end(enclosed, turnedAway(outcome));
  }

  /** Handles a message whose events are unknown. */
  whole(delivery: Delivery, outcome: DeadLetter | Later): void {
    if (outcome.kind === "later") this.#putOff(delivery, outcome);
    else {
      const { client, message } = wholeOf(delivery, this.#options.takesFrom);
      this.#options.setAside.put(delivery, message, { ...outcome, client });
    }
  }

  /** Moves an event out of its message, so that it holds up none of the others. */
  apart(delivery: Delivery, enclosed: Enclosed): void {
    const { step, publisher, mailbox, untilStored, trace } = this.#options;
    const message = apartMessage(step, enclosed);
    trace?.end(enclosed, { outcome: "apart" });
    untilStored.publish({
      publish: (onSettled) => publisher.send(message, onSettled),
      what: "move",
      onStored: () => {
        delivery.movedOut++;
        mailbox.ack(delivery);
      },
      onTooLarge: ({ message: why }) => {
        const because = `It does not fit into ${apartStream}: ${why}.`;
        this.#letter(delivery, enclosed, deadLetter("too_large", because));
      },
      onGivenUp: () => mailbox.nak(delivery),
    });
  }

  #letter(delivery: Delivery, enclosed: Enclosed, outcome: DeadLetter, eventId?: number): void {
    const { takesFrom, setAside } = this.#options;
    const { client } = enclosed.envelope;
    setAside.put(delivery, deadMessageOf(delivery, enclosed, takesFrom), { ...outcome, client, eventId });
  }

  #putOff(delivery: Delivery, { because }: Later): void {
    this.#options.log.debug({ because }, "later");
    this.#options.mailbox.nak(delivery, backOff(delivery.deliveries));
  }
}
