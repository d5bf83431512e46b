import { DurationHistogram, tick, ticksSince } from "./duration-histogram.ts";
import { SizeHistogram } from "./size-histogram.ts";

/** What is asked of a delivery; `receivedAt` is the meter's own to write. */
interface Metered {
  readonly events: number;
  readonly movedOut: number;
  readonly isRedelivered: boolean;
  receivedAt: number;
}

/** What is told of the consumer that brings the work. */
interface Mailbox {
  readonly stream: string;
  readonly name: string;
  readonly filter: string;
}

/**
 * Counts the work of one step, or of one reader of the log, since the process began. It stands around the mailbox and knows nothing
 * of what the work is; some 0.1 µs a message. Whoever wants rates compares two moments (`WorkWindow`).
 */
export class WorkMeter {
  /** The step or reader, as statuses and metrics name it. */
  readonly name: string;
  readonly mailbox: Mailbox | undefined;
  /** From when an event was received until it was done with. */
  readonly durations = new DurationHistogram();
  /** How many events each message carried. */
  readonly sizes = new SizeHistogram();
  readonly #deadLetters = new Map<string, number>();
  readonly #inFlight: (() => number)[] = [];
  #events = 0;
  #messages = 0;
  #redelivered = 0;
  #retried = 0;

  /** @param mailbox the durable consumer whose events it works on, where there is one */
  constructor(name: string, mailbox?: Mailbox) {
    this.name = name;
    this.mailbox = mailbox;
  }

  /** Events that are done with: forwarded, written, or set aside. */
  get events(): number {
    return this.#events;
  }

  /** Messages in which those came. */
  get messages(): number {
    return this.#messages;
  }

  /** Messages that had been delivered before. */
  get redelivered(): number {
    return this.#redelivered;
  }

  /** Messages that were handed back, or refused, to come again. */
  get retried(): number {
    return this.#retried;
  }

  /** Events that were set aside, by reason. */
  get deadLetters(): ReadonlyMap<string, number> {
    return this.#deadLetters;
  }

  /** Events that are in hand now. */
  get inFlight(): number {
    return this.#inFlight.reduce((sum, count) => sum + count(), 0);
  }

  /** @param inFlight how many events somebody holds, asked when somebody looks; one for each mailbox of the work */
  opened(inFlight: () => number): void {
    this.#inFlight.push(inFlight);
  }

  received(delivery: Metered): void {
    delivery.receivedAt = tick();
    if (delivery.isRedelivered) this.#redelivered++;
  }

  /** All events that the delivery carries are done with, but for those that went on to another mailbox of the same step. */
  settled({ events, movedOut, receivedAt }: Metered): void {
    this.done(events - movedOut, receivedAt);
  }

  /** A message was handed back, or refused: it has to come again. */
  returned(): void {
    this.#retried++;
  }

  /** Of `done`. */
  now(): number {
    return tick();
  }

  /** For work that comes from elsewhere than a mailbox. @param since `now` at its beginning; undefined = not measured */
  done(events: number, since?: number): void {
    this.#events += events;
    this.#messages++;
    this.sizes.add(events);
    if (since !== undefined) this.durations.add(ticksSince(since), events);
  }

  setAside(reason: string): void {
    this.#deadLetters.set(reason, (this.#deadLetters.get(reason) ?? 0) + 1);
  }
}
