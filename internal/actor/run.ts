import type { NatsConnection } from "nats";
import type { Decoded } from "../casino/decode.ts";
import { encodeEvent } from "../casino/encode.ts";
import type { Delivery } from "../jetstream/delivery.ts";
import { Mailbox } from "../jetstream/mailbox.ts";
import type { Publisher } from "../jetstream/publisher.ts";
import { watchForStranded } from "../jetstream/stranded.ts";
import { stageFilter, stageStream, stageSubject } from "../jetstream/subjects.ts";
import type { Durable } from "../jetstream/topology.ts";
import type { Log } from "../log.ts";
import { isUnavailable } from "../unavailable.ts";
import { backOff } from "./back-off.ts";
import { type Envelope, readEnvelope, writeEnvelope } from "./envelope.ts";
import { HandOver } from "./hand-over.ts";
import { Outage } from "./outage.ts";
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
import { Stop } from "./stop.ts";

/** Events that wait for rates count as unsettled: enough of them that the others still pass during an outage. */
const maxAckPending = 50_000;

/** An event on which the step itself fails is tried this often: a new version may be on its way. */
const mostFailures = 5;

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
  readonly #stop: Stop;
  readonly #outage: Outage;
  readonly #handOver: HandOver;
  /** How often the step failed on an event, by its sequence. Not the delivery count: waiting for rates raises that too. */
  readonly #failures = new Map<number, number>();
  #loop: Promise<void> = Promise.resolve();
  #endWatch: () => void = () => undefined;

  private constructor(options: RunOptions, mailbox: Mailbox) {
    this.#options = options;
    this.#mailbox = mailbox;
    this.#log = options.log;
    const { name } = options.step;
    this.#stop = new Stop(name);
    this.#outage = new Outage(options.log);
    this.#handOver = new HandOver({ ...options, name, mailbox, stop: this.#stop, outage: this.#outage });
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
    return this.#outage.problem ?? this.#mailbox.problem;
  }

  /** Settles what is in flight or hands it back; sets nothing aside that would not have been set aside anyway. */
  async stop(): Promise<void> {
    this.#endWatch();
    await this.#stop.settle(this.#mailbox, this.#loop);
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
        this.#outage.over();
        return outcomes;
      } catch (err) {
        if (this.#stop.stopping.aborted) return undefined;
        if (!isUnavailable(err)) return this.#enrichAlone(works);
        this.#outage.began(err);
        await this.#stop.pauseAfter(attempt);
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
    if (isUnavailable(err) || this.#stop.stopping.aborted) return later(message);
    const { stream, streamSequence } = delivery;
    const failures = (this.#failures.get(streamSequence) ?? 0) + 1;
    this.#log.error(
      { err, stream, seq: streamSequence, failures },
      "a step failed on an event, this is a bug",
    );
    const because = `The step ${this.name} failed: ${message}`;
    if (failures < mostFailures) {
      this.#failures.set(streamSequence, failures);
      return later(because);
    }
    this.#failures.delete(streamSequence);
    return deadLetter("max_deliveries", because);
  }

  async #ask(works: readonly Work[]): Promise<readonly Outcome[]> {
    const { step } = this.#options;
    const outcomes = await step.enrich(works, { log: this.#log, signal: this.#stop.cut });
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
    if (outcome.kind === "dead-letter") this.#handOver.setAside(delivery, outcome.reason, outcome.because);
    else {
      this.#log.debug({ because: outcome.because }, "later");
      this.#mailbox.nak(delivery, backOff(delivery.deliveries));
    }
  }

  #forward(work: Work, { event, rate }: Forward): void {
    const stage = this.#options.step.forwardsTo;
    const envelope = rate === undefined ? work.envelope : { ...work.envelope, rate };
    this.#handOver.forward(work.delivery, {
      subject: stageSubject(stage, work.client, event.type),
      payload: encodeEvent(event),
      headers: writeEnvelope(envelope, event.id, stage),
    });
  }
}
