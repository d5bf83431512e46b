import { setTimeout as sleep } from "node:timers/promises";
import type { NatsConnection } from "nats";
import { type Decoded, decodeEnriched, decodeRaw } from "../casino/decode.ts";
import { encodeEvent } from "../casino/encode.ts";
import type { Delivery } from "../jetstream/delivery.ts";
import { Mailbox } from "../jetstream/mailbox.ts";
import { type Outgoing, PublishError, type Publisher } from "../jetstream/publisher.ts";
import {
  parseEventSubject,
  rawStage,
  stageFilter,
  stageStream,
  stageSubject,
} from "../jetstream/subjects.ts";
import type { Log } from "../log.ts";
import { isUnavailable } from "../unavailable.ts";
import { backOff } from "./back-off.ts";
import { type DeadReason, deadLetterOf } from "./dead-letter.ts";
import { type Envelope, readEnvelope, writeEnvelope } from "./envelope.ts";
import type { ClientEvent, Forward, Outcome, Step } from "./step.ts";

/** Events that wait for rates count as unsettled: enough of them that the others still pass during an outage. */
const maxAckPending = 50_000;

/** At a stop, how long a batch may go on before its I/O is cut; the rest of the 10 s is for handing back. */
const stopGraceMs = 6_000;

export interface RunOptions {
  readonly step: Step;
  /** The stage whose messages it takes: what the step before it forwards to. */
  readonly takesFrom: string;
  readonly nc: NatsConnection;
  readonly publisher: Publisher;
  readonly log: Log;
}

/** One decoded delivery on its way through the step. */
interface Work extends ClientEvent {
  readonly delivery: Delivery;
  readonly envelope: Envelope;
}

/**
 * The loop around a step: take a batch, decode and validate, let the step enrich, publish each event to the next stage,
 * and acknowledge each source once its own PubAck has arrived.
 *
 * The next batch is enriched while the PubAcks of the last ones are on their way. Whatever goes wrong, an event is in
 * exactly one place afterwards: forwarded, in its mailbox again, or set aside.
 */
export class StepRun {
  readonly #options: RunOptions;
  readonly #mailbox: Mailbox;
  readonly #decode: (payload: Uint8Array) => Decoded;
  readonly #log: Log;
  readonly #settling = new Set<Promise<void>>();
  /** Aborted at a stop: ends waits between attempts. */
  readonly #stopping = new AbortController();
  /** Aborted when a stop has no more time: cuts I/O. */
  readonly #cut = new AbortController();
  #loop: Promise<void> = Promise.resolve();
  #problem: string | undefined;

  private constructor(options: RunOptions, mailbox: Mailbox) {
    this.#options = options;
    this.#mailbox = mailbox;
    this.#log = options.log;
    this.#decode = options.takesFrom === rawStage ? decodeRaw : decodeEnriched;
  }

  /** Opens the step's mailbox and starts the loop. @throws Error when the consumer cannot be created. */
  static async start(options: RunOptions): Promise<StepRun> {
    const mailbox = await Mailbox.open(options.nc, {
      log: options.log,
      durable: {
        stream: stageStream(options.takesFrom),
        name: options.step.name,
        filter: stageFilter(options.takesFrom),
        maxAckPending,
      },
    });
    const run = new StepRun(options, mailbox);
    run.#loop = run.#takeBatches();
    return run;
  }

  get name(): string {
    return this.#options.step.name;
  }

  /** What keeps events waiting right now, else undefined: for readiness. */
  get problem(): string | undefined {
    return this.#problem ?? this.#mailbox.problem;
  }

  /** Settles what is in flight or hands it back; sets nothing aside that would not have been set aside anyway. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error(`${this.#options.step.name} is stopping`));
    const grace = setTimeout(() => this.#cut.abort(new Error("no time left")), stopGraceMs);
    await this.#mailbox.stop();
    await Promise.race([
      this.#loop.then(() => Promise.all(this.#settling)),
      new Promise((resolve) => this.#cut.signal.addEventListener("abort", resolve, { once: true })),
    ]);
    clearTimeout(grace);
    this.#mailbox.close();
  }

  async #takeBatches(): Promise<void> {
    for (let batch = await this.#mailbox.take(); batch !== undefined; batch = await this.#mailbox.take()) {
      const works = this.#open(batch);
      if (works.length > 0) this.#settleAll(works, await this.#enrich(works));
    }
  }

  /** Decodes a batch; what cannot be an event is set aside on the way. */
  #open(batch: readonly Delivery[]): readonly Work[] {
    const works: Work[] = [];
    for (const delivery of batch) {
      const envelope = readEnvelope(delivery);
      if ("reason" in envelope) {
        this.#settle(this.#setAside(delivery, envelope.reason, envelope.because));
        continue;
      }
      const decoded = this.#decode(delivery.data);
      if (decoded.ok) works.push({ delivery, envelope, client: envelope.client, event: decoded.event });
      else {
        const sentence = decoded.errors.map((error) => `${error.path} ${error.message}`.trim()).join("; ");
        this.#settle(this.#setAside(delivery, decoded.reason, sentence));
      }
    }
    return works;
  }

  /** The step's word on each event; undefined when the process stops before the step could say it. */
  async #enrich(works: readonly Work[]): Promise<readonly Outcome[] | undefined> {
    const { step } = this.#options;
    for (let attempt = 1; ; attempt++) {
      try {
        const outcomes = await step.enrich(works, { log: this.#log, signal: this.#cut.signal });
        if (outcomes.length !== works.length)
          throw new Error(
            `step ${step.name} answered ${outcomes.length} outcomes for ${works.length} events`,
          );
        if (this.#problem !== undefined) this.#log.info("going on");
        this.#problem = undefined;
        return outcomes;
      } catch (err) {
        if (this.#stopping.signal.aborted) return undefined;
        const message = err instanceof Error ? err.message : String(err);
        if (this.#problem === undefined || attempt % 20 === 0)
          this.#log[isUnavailable(err) ? "warn" : "error"](
            { err, events: works.length, attempt },
            "holding a batch until this works again",
          );
        this.#problem = message;
        await this.#pause(backOff(Math.min(attempt, 5)));
      }
    }
  }

  #settleAll(works: readonly Work[], outcomes: readonly Outcome[] | undefined): void {
    for (const [index, work] of works.entries()) {
      const outcome = outcomes?.[index];
      if (outcome === undefined) this.#mailbox.nak(work.delivery);
      else if (outcome.kind === "forward") this.#settle(this.#forward(work, outcome));
      else if (outcome.kind === "dead-letter")
        this.#settle(this.#setAside(work.delivery, outcome.reason, outcome.because));
      else {
        this.#log.debug({ because: outcome.because }, "later");
        this.#mailbox.nak(work.delivery, backOff(work.delivery.deliveries));
      }
    }
  }

  #settle(settling: Promise<void>): void {
    this.#settling.add(settling);
    void settling.finally(() => this.#settling.delete(settling));
  }

  async #forward(work: Work, outcome: Forward): Promise<void> {
    const { client } = work;
    const { forwardsTo } = this.#options.step;
    const { event, rate } = outcome;
    const envelope = rate === undefined ? work.envelope : { ...work.envelope, rate };
    const message: Outgoing = {
      subject: stageSubject(forwardsTo, client, event.type),
      payload: encodeEvent(event),
      headers: writeEnvelope(envelope, event.id, forwardsTo),
    };
    try {
      if (await this.#publish(message)) this.#mailbox.ack(work.delivery);
      else this.#mailbox.nak(work.delivery);
    } catch (err) {
      await this.#setAside(work.delivery, "too_large", err instanceof Error ? err.message : String(err));
    }
  }

  async #setAside(delivery: Delivery, reason: DeadReason, because: string): Promise<void> {
    const { step } = this.#options;
    const client = parseEventSubject(delivery.subject)?.client ?? "unknown";
    const position = { client, reason, stream: delivery.stream, seq: delivery.streamSequence };
    try {
      if (await this.#publish(deadLetterOf(delivery, step.name, client, reason, because))) {
        this.#log.warn(position, because);
        this.#mailbox.term(delivery);
      } else this.#mailbox.nak(delivery);
    } catch (err) {
      // Only when the server's max_payload was lowered below what it had accepted before.
      this.#log.error({ err, ...position }, "the dead letter does not fit, raise max_payload of the server");
      this.#mailbox.nak(delivery, backOff(delivery.deliveries));
    }
  }

  /**
   * Publishes until it is stored; a full stream or an absent broker means again later, with the source held meanwhile.
   * @returns false when the process stops first.
   * @throws PublishError only when the message is too large for the broker.
   */
  async #publish(message: Outgoing): Promise<boolean> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#options.publisher.publish(message);
        return true;
      } catch (err) {
        if (err instanceof PublishError && err.isTooLarge) throw err;
        if (this.#stopping.signal.aborted) return false;
        if (attempt === 1)
          this.#log.warn({ err, subject: message.subject }, "publishing failed, trying again");
        await this.#pause(backOff(Math.min(attempt, 5)));
        if (this.#stopping.signal.aborted) return false;
      }
    }
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
  }
}
