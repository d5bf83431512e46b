import type { NatsConnection } from "nats";
import { eventText } from "../casino/encode.ts";
import type { Delivery } from "../jetstream/delivery.ts";
import type { Durable } from "../jetstream/durable.ts";
import { Mailbox } from "../jetstream/mailbox.ts";
import type { Publisher } from "../jetstream/publisher.ts";
import { StrandedWatch } from "../jetstream/stranded.ts";
import { stageFilter, stageStream, stageSubject } from "../jetstream/subjects.ts";
import type { Log } from "../log.ts";
import { isUnavailable } from "../unavailable.ts";
import { backOff } from "./back-off.ts";
import { catchGivenUp } from "./backstop.ts";
import { type Attempt, Care } from "./care.ts";
import { writeEnvelope } from "./envelope.ts";
import { HandOver } from "./hand-over.ts";
import { Marks } from "./marks.ts";
import { Outage } from "./outage.ts";
import {
  type DeadLetter,
  deadLetter,
  type Forward,
  type Later,
  later,
  type Outcome,
  type Step,
} from "./step.ts";
import { Stop } from "./stop.ts";
import { type Decode, openDelivery, type Work } from "./work.ts";
import type { Worker } from "./worker.ts";

/** Events that wait for rates count as unsettled: enough of them that the others still pass during an outage. */
const maxAckPending = 50_000;

/** An event on which the step itself fails is tried this often, by whichever process: a new version may be on its way. */
const mostFailures = 5;

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
  /** This process, the same for all its steps. */
  readonly worker: Worker;
  /** Of the bucket in which the process notes what it has in hand. */
  readonly replicas: number;
  /** Default 10 s. */
  readonly lookForStrandedEveryMs?: number;
  /** Default: that of all consumers. */
  readonly ackWaitMs?: number;
}

/** The durable consumer that is a step's mailbox. */
export function mailboxOf(step: string, takesFrom: string): Durable {
  return { stream: stageStream(takesFrom), name: step, filter: stageFilter(takesFrom), maxAckPending };
}

type Opened = Work | DeadLetter | Later;

const isSettled = (opened: Opened | Promise<Opened>): opened is Opened => !(opened instanceof Promise);

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
  readonly #marks: Marks;
  readonly #care: Care;
  readonly #endBackstop: () => void;
  readonly #stranded: StrandedWatch;
  #loop: Promise<void> = Promise.resolve();

  private constructor(options: RunOptions, durable: Durable, mailbox: Mailbox) {
    this.#options = options;
    this.#mailbox = mailbox;
    this.#log = options.log;
    const { nc, publisher, worker, replicas, log } = options;
    const { name, stream } = durable;
    this.#stop = new Stop(name);
    this.#outage = new Outage(log);
    const handOver = new HandOver({ ...options, name, mailbox, stop: this.#stop, outage: this.#outage });
    this.#handOver = handOver;
    const marks = new Marks(nc, { step: name, worker: worker.id, replicas, log });
    this.#marks = marks;
    const onStuck = () => this.#stop.abandonLoop();
    this.#care = new Care({ step: name, stream, worker, marks, mailbox, handOver, log, onStuck });
    this.#endBackstop = catchGivenUp({ nc, durable, publisher, log });
    this.#stranded = new StrandedWatch(nc, durable, log, options.lookForStrandedEveryMs);
  }

  /** Opens the step's mailbox and starts the loop. @throws Error when the consumer cannot be created. */
  static async start(options: RunOptions): Promise<StepRun> {
    const { step, takesFrom, nc, log, ackWaitMs } = options;
    const durable = { ...mailboxOf(step.name, takesFrom), ...(ackWaitMs === undefined ? {} : { ackWaitMs }) };
    const run = new StepRun(options, durable, await Mailbox.open(nc, { durable, log }));
    // Here, so that a bucket that cannot be made is said at the start and not when there is poison.
    await run.#marks.suspects();
    run.#loop = run.#takeBatches();
    return run;
  }

  get name(): string {
    return this.#options.step.name;
  }

  /** What keeps events waiting right now, else undefined: for readiness. */
  get problem(): string | undefined {
    return this.#outage.problem ?? this.#mailbox.problem ?? this.#stranded.problem;
  }

  /** Settles what is in flight or hands it back; sets nothing aside that would not have been set aside anyway. */
  async stop(): Promise<void> {
    this.#stranded.close();
    this.#endBackstop();
    await this.#stop.settle(this.#mailbox, this.#loop);
    await this.#care.close();
  }

  async #takeBatches(): Promise<void> {
    for (let batch = await this.#mailbox.take(); batch !== undefined; batch = await this.#mailbox.take())
      await this.#care.handle(batch, (deliveries, attempt) => this.#workOn(deliveries, attempt));
  }

  /** Decodes, enriches and settles a batch, however long something is away; hands it back when the process stops first. */
  async #workOn(deliveries: readonly Delivery[], attempt: Attempt): Promise<void> {
    let works: readonly Work[] | undefined;
    for (let attempts = 1; ; attempts++) {
      try {
        await attempt(deliveries, async () => {
          works ??= await this.#open(deliveries);
          if (works.length > 0) this.#settle(works, await this.#ask(works));
        });
        if (works?.length) this.#outage.over();
        return;
      } catch (err) {
        if (works === undefined) throw err;
        if (this.#stop.stopping.aborted) return this.#handBack(works);
        if (!isUnavailable(err)) return this.#workOnEach(works, attempt);
        this.#outage.began(err);
        await this.#stop.pauseAfter(attempts);
      }
    }
  }

  /** The step threw without anything being away, a bug: find the events it throws on, so that the others go on. */
  async #workOnEach(works: readonly Work[], attempt: Attempt): Promise<void> {
    for (const work of works) {
      try {
        await attempt([work.delivery], async () => this.#settle([work], await this.#ask([work])));
      } catch (err) {
        this.#turnAway(work.delivery, await this.#onFailure(work.delivery, err));
      }
    }
  }

  /** Decodes a batch, in its order; what cannot be an event, or cannot be read now, is settled on the way. */
  async #open(batch: readonly Delivery[]): Promise<readonly Work[]> {
    const opening = batch.map((delivery) => this.#openOne(delivery));
    // Hardly ever a promise among them, and one for each message costs more than decoding it.
    const opened = opening.every(isSettled) ? opening : await Promise.all(opening);
    const works: Work[] = [];
    for (const [index, delivery] of batch.entries()) {
      const result = opened[index];
      if (result === undefined) continue;
      if ("kind" in result) this.#turnAway(delivery, result);
      else works.push(result);
    }
    return works;
  }

  #openOne(delivery: Delivery): Opened | Promise<Opened> {
    const failed = (err: unknown) => this.#onFailure(delivery, err);
    try {
      const opened = openDelivery(delivery, this.#options.decode);
      return opened instanceof Promise ? opened.catch(failed) : opened;
    } catch (err) {
      return failed(err);
    }
  }

  /** One event could not be handled: something is away, or this is a bug. */
  async #onFailure(delivery: Delivery, err: unknown): Promise<Later | DeadLetter> {
    const message = err instanceof Error ? err.message : String(err);
    if (isUnavailable(err) || this.#stop.stopping.aborted) return later(message);
    const failures = await this.#marks.countFailure(delivery);
    const { stream, streamSequence: seq } = delivery;
    this.#log.error({ err, stream, seq, failures }, "a step failed on an event, this is a bug");
    const because = `The step ${this.name} failed: ${message}`;
    return (failures ?? 0) < mostFailures ? later(because) : deadLetter("max_deliveries", because);
  }

  async #ask(works: readonly Work[]): Promise<readonly Outcome[]> {
    const { step } = this.#options;
    const outcomes = await step.enrich(works, { log: this.#log, signal: this.#stop.cut });
    if (outcomes.length !== works.length)
      throw new Error(`it gave ${outcomes.length} outcomes for ${works.length} events`);
    return outcomes;
  }

  #handBack(works: readonly Work[]): void {
    for (const { delivery } of works) this.#mailbox.nak(delivery);
  }

  #settle(works: readonly Work[], outcomes: readonly Outcome[]): void {
    for (let index = 0; index < works.length; index++) {
      const work = works[index];
      const outcome = outcomes[index];
      if (work === undefined || outcome === undefined) continue; // as many of the one as of the other
      if (outcome.kind === "forward") this.#forward(work, outcome);
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
    const message = {
      subject: stageSubject(stage, work.client, event.type),
      payload: eventText(event),
      headers: writeEnvelope(envelope, event.id, stage),
    };
    this.#handOver.forward(work.delivery, message, envelope, event.id);
  }
}
