import { DurationHistogram, tick, ticksSince } from "./duration-histogram.ts";
import { SizeHistogram } from "./size-histogram.ts";

/** What the meter needs of a delivery; only the meter writes `receivedAt`. */
interface Metered {
  readonly events: number;
  readonly movedOut: number;
  readonly isRedelivered: boolean;
  receivedAt: number;
}

/** Describes the consumer of the work. */
interface Mailbox {
  readonly stream: string;
  readonly name: string;
  readonly filter: string;
}

/**
 * Counts the work of one step or one reader of the log since the process started. It wraps the mailbox, does not know
 * what the work is, and costs some 0.1 µs per message. `WorkWindow` derives rates from it.
 */
export class WorkMeter {
  /** The step or reader, as statuses and metrics name it. */
  readonly name: string;
  readonly mailbox: Mailbox | undefined;
  /** Time from receiving an event until it is handled. */
  readonly durations = new DurationHistogram();
  /** Events per message. */
  readonly sizes = new SizeHistogram();
  readonly #deadLetters = new Map<string, number>();
  readonly #inFlight: (() => number)[] = [];
  #events = 0;
  #messages = 0;
  #redelivered = 0;
  #retried = 0;

  /** @param mailbox the durable consumer of its events, if there is one */
  constructor(name: string, mailbox?: Mailbox) {
    this.name = name;
    this.mailbox = mailbox;
  }

  /** Events handled: forwarded, written or dead-lettered. */
  get events(): number {
    return this.#events;
  }

  /** Messages that carried these events. */
  get messages(): number {
    return this.#messages;
  }

  get redelivered(): number {
    return this.#redelivered;
  }

  /** Messages handed back or refused, to be delivered again. */
  get retried(): number {
    return this.#retried;
  }

  get deadLetters(): ReadonlyMap<string, number> {
    return this.#deadLetters;
  }

  /** Events that are in hand now. */
  get inFlight(): number {
    return this.#inFlight.reduce((sum, count) => sum + count(), 0);
  }

  /** @param inFlight returns the events in hand, called at each status; one function per mailbox of the work */
  opened(inFlight: () => number): void {
    this.#inFlight.push(inFlight);
  }

  received(delivery: Metered): void {
    delivery.receivedAt = tick();
    if (delivery.isRedelivered) this.#redelivered++;
  }

  /** All events of the delivery are handled, except those moved to another mailbox of the same step. */
  settled({ events, movedOut, receivedAt }: Metered): void {
    this.done(events - movedOut, receivedAt);
  }

  /** A message was handed back or refused, and will be delivered again. */
  returned(): void {
    this.#retried++;
  }

  /** Of `done`. */
  now(): number {
    return tick();
  }

  /** For work that does not come from a mailbox. @param since `now` at its start; undefined = not measured */
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
