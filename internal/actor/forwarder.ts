import { eventText } from "../casino/encode.ts";
import type { CasinoEvent } from "../casino/event.ts";
import type { Mailbox } from "../jetstream/mailbox.ts";
import { type PubAck, PublishError } from "../jetstream/pub-ack.ts";
import type { OnSettled, Outgoing, Publisher } from "../jetstream/publisher.ts";
import type { Publication, UntilStored } from "../jetstream/until-stored.ts";
import { bundleLine, bundleMessage, mostBytesPerBundle, mostEventsPerBundle } from "../messages/bundle.ts";
import { type Envelope, writeEnvelope } from "../messages/envelope.ts";
import { finalStage, stageSubject } from "../messages/subjects.ts";
import type { HopTrace } from "../messages/trace.ts";
import { type CopyRecords, isCopy } from "./copies.ts";
import type { Work } from "./work.ts";
import type { WorkerProcess } from "./worker-process.ts";

/** An event to forward: what it has become, and what it came from. */
export interface Enriched {
  readonly work: Work;
  readonly event: CasinoEvent;
  readonly envelope: Envelope;
}

export interface ForwarderOptions {
  readonly stage: string;
  /** Whether several events may travel in one message. */
  readonly bundles: boolean;
  readonly worker: WorkerProcess;
  readonly publisher: Publisher;
  readonly mailbox: Mailbox;
  readonly copies: CopyRecords;
  readonly untilStored: UntilStored;
  readonly stopping: AbortSignal;
  readonly trace?: HopTrace | undefined;
  /** Handles an event that has become too large for the broker. */
  readonly onTooLarge: (work: Work, because: string) => void;
}

/** Most events whose forward is not stored yet: more would not make it faster. Those that a full stream refuses count too. */
const mostInFlight = 1024;

/** Most bytes of a bundle's headers. */
const bundleHeaderBytes = 8 * 1024;

/**
 * Publishes events to the next stage, and acknowledges each source when that stage holds its event. Before the last
 * stage, all events in hand travel in as few messages as fit. Nothing waits to fill a message, so a quiet system
 * sends single ones. Final events have many readers and always travel alone.
 */
export class Forwarder {
  readonly #options: InFlightOptions;
  #inFlight = 0;
  #roomWanted: (() => void) | undefined;

  constructor(options: ForwarderOptions) {
    const settled = (events: number): void => {
      this.#inFlight -= events;
      if (this.#inFlight < mostInFlight) this.#roomWanted?.();
    };
    this.#options = { ...options, settled };
    options.stopping.addEventListener("abort", () => this.#roomWanted?.(), { once: true });
  }

  /** Resolves when there is room for more events in flight, or the process stops. One caller at a time. */
  async room(): Promise<void> {
    while (this.#inFlight >= mostInFlight && !this.#options.stopping.aborted)
      await new Promise<void>((resolve) => {
        this.#roomWanted = resolve;
      });
  }

  forward(events: readonly Enriched[]): void {
    const { stage, bundles } = this.#options;
    if (events.length > 1 && bundles && stage !== finalStage) this.#bundle(events);
    else for (const event of events) this.#single(event);
  }

  #bundle(events: readonly Enriched[]): void {
    const mostBytes = Math.min(mostBytesPerBundle, this.#options.publisher.maxPayload - bundleHeaderBytes);
    let [from, bytes]: [number, number] = [0, 0];
    let lines: string[] = [];
    for (const [index, { envelope, event }] of events.entries()) {
      const line = bundleLine(envelope, eventText(event));
      const size = Buffer.byteLength(line);
      if (lines.length === mostEventsPerBundle || (lines.length > 0 && bytes + size > mostBytes)) {
        this.#send(events.slice(from, index), lines);
        [from, bytes, lines] = [index, 0, []];
      }
      lines.push(line);
      bytes += size;
    }
    this.#send(events.slice(from), lines);
  }

  #send(events: readonly Enriched[], lines: readonly string[]): void {
    const [only] = events;
    if (only !== undefined && events.length === 1) {
      this.#single(only);
      return;
    }
    const { stage, worker } = this.#options;
    const accepted = events.map(({ envelope }) => envelope.accepted);
    const message = bundleMessage(stage, lines, accepted, worker.nextMessageId());
    this.#publish(new BundleForward(this.#options, message, events), events.length);
  }

  #single({ work, event, envelope }: Enriched): void {
    const { stage } = this.#options;
    const message = {
      subject: stageSubject(stage, work.client, event.type),
      payload: eventText(event),
      headers: writeEnvelope(envelope, event.id, stage),
    };
    this.#publish(new SingleForward(this.#options, message, work, envelope), 1);
  }

  #publish(forward: BundleForward | SingleForward, events: number): void {
    const { untilStored } = this.#options;
    this.#inFlight += events;
    // The first attempt, made directly: a second one is rare.
    forward.publish((outcome) => {
      if (!(outcome instanceof PublishError)) forward.onStored(outcome);
      else if (outcome.isTooLarge && forward instanceof BundleForward) {
        // Somebody has given the stream a limit of its own.
        this.#options.settled(events);
        for (const event of forward.events) this.#single(event);
      } else untilStored.refused(outcome, forward);
    });
  }
}

const forwarded = { outcome: "forwarded" };

interface InFlightOptions extends ForwarderOptions {
  /** So many events are stored, or go another way. */
  readonly settled: (events: number) => void;
}

/** One message in flight. A class, because closures would make several objects for each of thousands. */
abstract class InFlight {
  readonly what = "forward";
  protected readonly options: InFlightOptions;
  readonly #message: Outgoing;

  constructor(options: InFlightOptions, message: Outgoing) {
    this.options = options;
    this.#message = message;
  }

  publish(onSettled: OnSettled): void {
    this.options.publisher.send(this.#message, onSettled);
  }
}

class BundleForward extends InFlight implements Publication {
  readonly events: readonly Enriched[];

  constructor(options: InFlightOptions, message: Outgoing, events: readonly Enriched[]) {
    super(options, message);
    this.events = events;
  }

  onStored(): void {
    const { mailbox, settled, trace } = this.options;
    settled(this.events.length);
    for (const { work } of this.events) {
      mailbox.ack(work.delivery);
      trace?.end(work.enclosed, forwarded);
    }
  }

  /** The limit was set while it was being retried. */
  onTooLarge(): void {
    this.onGivenUp();
  }

  onGivenUp(): void {
    this.options.settled(this.events.length);
    for (const { work } of this.events) this.options.mailbox.nak(work.delivery);
  }
}

class SingleForward extends InFlight implements Publication {
  readonly #work: Work;
  readonly #envelope: Envelope;

  constructor(options: InFlightOptions, message: Outgoing, work: Work, envelope: Envelope) {
    super(options, message);
    this.#work = work;
    this.#envelope = envelope;
  }

  onStored(ack: PubAck): void {
    const { copies, mailbox, settled, trace } = this.options;
    const { delivery, event, enclosed } = this.#work;
    settled(1);
    trace?.end(enclosed, forwarded);
    if (isCopy(ack)) copies.add(delivery, this.#envelope, event.id, ack);
    else mailbox.ack(delivery);
  }

  onTooLarge({ message }: PublishError): void {
    this.options.settled(1);
    this.options.onTooLarge(this.#work, `The enriched event does not fit: ${message}.`);
  }

  onGivenUp(): void {
    this.options.settled(1);
    this.options.mailbox.nak(this.#work.delivery);
  }
}
