import { setTimeout as sleep } from "node:timers/promises";
import type { NatsConnection } from "nats";
import type { Decoded } from "../casino/decode.ts";
import { encodeEvent } from "../casino/encode.ts";
import type { Delivery } from "../jetstream/delivery.ts";
import { Mailbox } from "../jetstream/mailbox.ts";
import { type Outgoing, PublishError, type Publisher } from "../jetstream/publisher.ts";
import { watchForStranded } from "../jetstream/stranded.ts";
import { clientOf, stageFilter, stageStream, stageSubject } from "../jetstream/subjects.ts";
import type { Durable } from "../jetstream/topology.ts";
import type { Log } from "../log.ts";
import { isUnavailable } from "../unavailable.ts";
import { backOff } from "./back-off.ts";
import { type DeadReason, deadLetterOf } from "./dead-letter.ts";
import { type Envelope, readEnvelope, writeEnvelope } from "./envelope.ts";
import {
  type ClientEvent,
  type DeadLetter,
  deadLetter,
  type Forward,
  type Later,
  later,
  type Outcome,
  type Step,
} from "./step.ts";

/** Events that wait for rates count as unsettled: enough of them that the others still pass during an outage. */
const maxAckPending = 50_000;

/** At a stop, how long a batch may go on before its I/O is cut; the rest of the 10 s is for handing back. */
const stopGraceMs = 6_000;

/** An event on which the step itself fails is tried this often: a new version may be on its way. */
const mostDeliveries = 5;

/** While something is away: the longest pause between attempts, so that events flow again soon after it is back. */
const longestAttemptGap = 5;

/** Reads the event in a message of this client; `contentType` is empty where the message names none. */
export type Decode = (payload: Uint8Array, client: string, contentType: string) => Decoded | Promise<Decoded>;

export interface RunOptions {
  readonly step: Step;
  /** The stage whose messages it takes: what the step before it forwards to. */
  readonly takesFrom: string;
  /**
   * A promise holds up the batch and is for what has to be looked up first; the event comes
   * again later when it rejects with `Unavailable`.
   */
  readonly decode: Decode;
  readonly nc: NatsConnection;
  readonly publisher: Publisher;
  readonly log: Log;
  /** Default 10 s. */
  readonly lookForStrandedEveryMs?: number;
}

/** One decoded delivery on its way through the step. */
interface Work extends ClientEvent {
  readonly delivery: Delivery;
  readonly envelope: Envelope;
}

type Opened = Work | DeadLetter | Later;

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
  readonly #log: Log;
  /** Aborted at a stop: ends waits between attempts. */
  readonly #stopping = new AbortController();
  /** Aborted when a stop has no more time: cuts I/O. */
  readonly #cut = new AbortController();
  #loop: Promise<void> = Promise.resolve();
  #problem: string | undefined;
  #endWatch: () => void = () => undefined;

  private constructor(options: RunOptions, mailbox: Mailbox) {
    this.#options = options;
    this.#mailbox = mailbox;
    this.#log = options.log;
  }

  /** Opens the step's mailbox and starts the loop. @throws Error when the consumer cannot be created. */
  static async start(options: RunOptions): Promise<StepRun> {
    const { step, takesFrom, nc, log } = options;
    const durable: Durable = {
      stream: stageStream(takesFrom),
      name: step.name,
      filter: stageFilter(takesFrom),
      maxAckPending,
    };
    const run = new StepRun(options, await Mailbox.open(nc, { durable, log }));
    run.#endWatch = watchForStranded(nc, durable, log, options.lookForStrandedEveryMs);
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
    this.#endWatch();
    const grace = setTimeout(() => this.#cut.abort(new Error("no time left")), stopGraceMs);
    await Promise.race([
      this.#settleAll(),
      new Promise((resolve) => this.#cut.signal.addEventListener("abort", resolve, { once: true })),
    ]);
    clearTimeout(grace);
    this.#stopping.abort();
    this.#mailbox.close();
  }

  async #settleAll(): Promise<void> {
    await this.#mailbox.stop();
    this.#stopping.abort(new Error(`${this.name} is stopping`));
    await this.#loop;
    await this.#mailbox.allSettled();
  }

  async #takeBatches(): Promise<void> {
    for (let batch = await this.#mailbox.take(); batch !== undefined; batch = await this.#mailbox.take()) {
      const works = await this.#open(batch);
      if (works.length > 0) this.#settle(works, await this.#enrich(works));
    }
  }

  /** Decodes a batch, in its order; what cannot be an event, or cannot be read now, is settled on the way. */
  async #open(batch: readonly Delivery[]): Promise<readonly Work[]> {
    const opened = await Promise.all(batch.map((delivery) => this.#read(delivery)));
    const works: Work[] = [];
    for (const [index, delivery] of batch.entries()) {
      const result = opened[index];
      if (result === undefined) continue;
      if ("kind" in result) this.#turnAway(delivery, result);
      else works.push(result);
    }
    return works;
  }

  #read(delivery: Delivery): Opened | Promise<Opened> {
    const envelope = readEnvelope(delivery);
    if ("reason" in envelope) return deadLetter(envelope.reason, envelope.because);
    const { client } = envelope;
    const open = (decoded: Decoded): Opened => {
      if (decoded.ok) return { delivery, envelope, client, event: decoded.event };
      const sentence = decoded.errors.map((error) => `${error.path} ${error.message}`.trim()).join("; ");
      return deadLetter(decoded.reason, sentence);
    };
    const failed = (err: unknown): Opened => this.#onFailure(delivery, err);
    try {
      const decoded = this.#options.decode(delivery.data, client, delivery.headers.get("Content-Type"));
      return decoded instanceof Promise ? decoded.then(open, failed) : open(decoded);
    } catch (err) {
      return failed(err);
    }
  }

  /** The step's word on each event; undefined when the process stops before the step could say it. */
  async #enrich(works: readonly Work[]): Promise<readonly Outcome[] | undefined> {
    for (let attempt = 1; ; attempt++) {
      try {
        const outcomes = await this.#ask(works);
        this.#works();
        return outcomes;
      } catch (err) {
        if (this.#stopping.signal.aborted) return undefined;
        if (!isUnavailable(err)) return this.#enrichAlone(works);
        this.#fails(err);
        await this.#pauseAfter(attempt);
      }
    }
  }

  /** The step threw without anything being away, a bug: find the events it throws on, so that the others go on. */
  async #enrichAlone(works: readonly Work[]): Promise<readonly Outcome[]> {
    const outcomes: Outcome[] = [];
    for (const work of works) {
      try {
        outcomes.push(...(await this.#ask([work])));
      } catch (err) {
        outcomes.push(this.#onFailure(work.delivery, err));
      }
    }
    return outcomes;
  }

  /** One event could not be handled: something is away, or this is a bug. */
  #onFailure(delivery: Delivery, err: unknown): Later | DeadLetter {
    const message = err instanceof Error ? err.message : String(err);
    if (isUnavailable(err) || this.#stopping.signal.aborted) return later(message);
    const { deliveries, stream, streamSequence } = delivery;
    this.#log.error(
      { err, stream, seq: streamSequence, deliveries },
      "a step failed on an event, this is a bug",
    );
    const because = `The step ${this.name} failed: ${message}`;
    return deliveries < mostDeliveries ? later(because) : deadLetter("max_deliveries", because);
  }

  async #ask(works: readonly Work[]): Promise<readonly Outcome[]> {
    const { step } = this.#options;
    const outcomes = await step.enrich(works, { log: this.#log, signal: this.#cut.signal });
    if (outcomes.length !== works.length)
      throw new Error(`it gave ${outcomes.length} outcomes for ${works.length} events`);
    return outcomes;
  }

  #settle(works: readonly Work[], outcomes: readonly Outcome[] | undefined): void {
    for (let index = 0; index < works.length; index++) {
      const work = works[index];
      if (work === undefined) continue;
      const outcome = outcomes?.[index];
      if (outcome === undefined) this.#mailbox.nak(work.delivery);
      else if (outcome.kind === "forward") this.#forward(work, outcome);
      else this.#turnAway(work.delivery, outcome);
    }
  }

  #turnAway(delivery: Delivery, outcome: DeadLetter | Later): void {
    if (outcome.kind === "dead-letter") this.#setAside(delivery, outcome.reason, outcome.because);
    else {
      this.#log.debug({ because: outcome.because }, "later");
      this.#mailbox.nak(delivery, backOff(delivery.deliveries));
    }
  }

  #forward(work: Work, { event, rate }: Forward): void {
    const stage = this.#options.step.forwardsTo;
    const envelope = rate === undefined ? work.envelope : { ...work.envelope, rate };
    this.#publish(
      {
        subject: stageSubject(stage, work.client, event.type),
        payload: encodeEvent(event),
        headers: writeEnvelope(envelope, event.id, stage),
      },
      work.delivery,
      () => this.#mailbox.ack(work.delivery),
      (err) => this.#setAside(work.delivery, "too_large", `The enriched event does not fit: ${err.message}.`),
    );
  }

  #setAside(delivery: Delivery, reason: DeadReason, because: string): void {
    const client = clientOf(delivery.subject);
    const position = { client, reason, stream: delivery.stream, seq: delivery.streamSequence };
    this.#publish(
      deadLetterOf(delivery, this.name, client, reason, because),
      delivery,
      () => {
        this.#log.warn(position, because);
        this.#mailbox.term(delivery);
      },
      (err) => {
        // Only when the server's max_payload was lowered below what it had accepted before.
        this.#log.error({ err, ...position }, "a dead letter does not fit: raise max_payload of the server");
        this.#mailbox.nak(delivery, backOff(delivery.deliveries));
      },
    );
  }

  /**
   * Publishes until it is stored, holding the source meanwhile: a full stream or an absent broker means again later.
   * When the process stops first, the source is handed back.
   */
  #publish(
    message: Outgoing,
    source: Delivery,
    onStored: () => void,
    onTooLarge: (err: PublishError) => void,
    attempt = 1,
  ): void {
    this.#options.publisher.send(message, (outcome) => {
      if (!(outcome instanceof PublishError)) {
        this.#works();
        onStored();
      } else if (outcome.isTooLarge) onTooLarge(outcome);
      else if (this.#stopping.signal.aborted) this.#mailbox.nak(source);
      else {
        this.#fails(outcome);
        void this.#pauseAfter(attempt).then(() => {
          if (this.#stopping.signal.aborted) this.#mailbox.nak(source);
          else this.#publish(message, source, onStored, onTooLarge, attempt + 1);
        });
      }
    });
  }

  #works(): void {
    if (this.#problem === undefined) return;
    this.#problem = undefined;
    this.#log.info("events flow again");
  }

  /** Says it once per outage; readiness shows it for as long as it lasts. */
  #fails(err: Error): void {
    if (this.#problem === undefined) this.#log.warn({ err }, `events wait: ${err.message}`);
    this.#problem = err.message;
  }

  async #pauseAfter(attempt: number): Promise<void> {
    const ms = backOff(Math.min(attempt, longestAttemptGap));
    await sleep(ms, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
  }
}
