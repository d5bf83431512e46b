import type { Delivery } from "../jetstream/delivery.ts";
import type { Durable } from "../jetstream/durable.ts";
import type { Mailbox, MailboxMeter } from "../jetstream/mailbox.ts";
import type { Publisher } from "../jetstream/publisher.ts";
import { Reader, type ReaderOptions } from "../jetstream/reader.ts";
import { StuckMessagesWatch } from "../jetstream/stuck-messages.ts";
import { ReplayClaims } from "../messages/replay-claim.ts";
import { apartStream } from "../messages/subjects.ts";
import type { HopTrace } from "../messages/trace.ts";
import { LogLimit } from "../service/log-limit.ts";
import { catchGivenUp } from "./backstop.ts";
import { CopyRecords } from "./copies.ts";
import { type Enriched, Forwarder } from "./forwarder.ts";
import { type Guard, PoisonIsolation } from "./isolation.ts";
import { Marks } from "./marks.ts";
import { type Decode, Opener } from "./open.ts";
import { SetAside, type SetAsideMeter } from "./set-aside.ts";
import { deadLetter, type Outcome, type Step } from "./step.ts";
import { TurnAway } from "./turn-away.ts";
import { callsOf, deliveriesOf, type Work } from "./work.ts";
import type { WorkerProcess } from "./worker-process.ts";

/** Most events decoded at once: a message may carry a thousand, and all of them count as in hand. */
const batchBytes = 256 * 1024;

/** Counts what becomes of a step's events, in whichever of its mailboxes. */
export interface StepMeter extends MailboxMeter, SetAsideMeter {}

export interface LoopOptions extends ReaderOptions {
  readonly step: Step;
  /** The stage whose events it takes: the one that the step before it forwards to. */
  readonly takesFrom: string;
  readonly decode: Decode;
  readonly publisher: Publisher;
  readonly meter?: StepMeter;
  readonly trace?: HopTrace | undefined;
  /** This process, shared by all its steps. */
  readonly worker: WorkerProcess;
  /** Replicas of the bucket in which the process notes what it has in hand. */
  readonly replicas: number;
  /** Whether it forwards several events in one message; default true. It accepts such messages in any case. */
  readonly bundles?: boolean;
  /** Takes nothing while this returns a sentence: what it would forward has nowhere to go. */
  readonly pause?: () => string | undefined;
  /** Default 10 s. */
  readonly lookForStuckEveryMs?: number;
  /** Default: that of all consumers. */
  readonly ackWaitMs?: number;
}

/**
 * The loop around a step, for one of its mailboxes. An event passes these layers, from the outside in:
 *
 * 1. take: the mailbox returns a batch of messages and holds each until it is settled;
 * 2. isolate: a message that has ended a worker is handled alone, to be found and set aside (`isolation.ts`);
 * 3. hold: while something is away the call is repeated, however long it takes (`reader.ts`);
 * 4. open: the events in the messages are found and decoded (`open.ts`);
 * 5. bisect: where the step throws, its events are halved until the one it throws on is alone;
 * 6. ask: the step returns a result for each event;
 * 7. settle: each event is forwarded (`forwarder.ts`), set aside or put off (`turn-away.ts`). Once all events of a
 *    message are stored elsewhere, it is acknowledged.
 *
 * The next batch is enriched while PubAcks are on their way. Whatever goes wrong, an event ends in exactly one place:
 * forwarded, in its mailbox again, in the step's own CASINO_APART, or set aside.
 */
export class StepLoop {
  readonly #options: LoopOptions;
  readonly #reader: Reader;
  readonly #mailbox: Mailbox;
  readonly #marks: Marks;
  readonly #isolation: PoisonIsolation;
  readonly #opener: Opener;
  readonly #forwarder: Forwarder;
  readonly #setAside: SetAside;
  readonly #turnAway: TurnAway;
  readonly #endBackstop: () => void;
  readonly #stuck: StuckMessagesWatch;
  readonly #log: LogLimit;

  private constructor(options: LoopOptions, reader: Reader, durable: Durable, mailbox: Mailbox) {
    this.#options = options;
    this.#reader = reader;
    this.#mailbox = mailbox;
    const { nc, publisher, worker, replicas, log, trace, takesFrom, bundles = true } = options;
    const { name, stream } = durable;
    const step = options.step.name;
    const { stopping, untilStored } = reader;
    const marks = new Marks(nc, { step: name, worker: worker.id, replicas, log });
    const claims = new ReplayClaims(nc);
    const common = { ...options, step, mailbox, untilStored, marks, claims, stopping };
    const setAside = new SetAside(common);
    const turnAway = new TurnAway({ ...common, setAside });
    [this.#marks, this.#setAside, this.#turnAway] = [marks, setAside, turnAway];
    this.#forwarder = new Forwarder({
      ...common,
      stage: options.step.forwardsTo,
      bundles,
      copies: new CopyRecords(common),
      onTooLarge: (work, because) => turnAway.event(work, deadLetter("too_large", because)),
    });
    const onFailure = (delivery: Delivery, err: unknown) => turnAway.onFailure(delivery, err);
    this.#opener = new Opener(claims, options.decode, onFailure, trace);
    this.#isolation = new PoisonIsolation({
      ...common,
      stream,
      // Few events wait there, and many of them are suspects.
      marksAll: stream === apartStream,
      onPoison: (delivery, because) => turnAway.whole(delivery, deadLetter("max_deliveries", because)),
      onStuck: () => reader.abandon(),
    });
    this.#endBackstop = catchGivenUp({ nc, durable, step, stage: takesFrom, publisher, log });
    this.#log = new LogLimit(log);
    this.#stuck = new StuckMessagesWatch(nc, durable, log, options.lookForStuckEveryMs);
  }

  /** Opens a mailbox of the step and starts the loop. @throws Error when the consumer cannot be created. */
  static async start(options: LoopOptions, mailbox: Durable): Promise<StepLoop> {
    const { meter, ackWaitMs, pause } = options;
    const durable = { ...mailbox, ackWaitMs };
    const reader = new Reader(durable.name, options);
    const loop = new StepLoop(
      options,
      reader,
      durable,
      await reader.open({ durable, meter, batchBytes, pause }),
    );
    // Here, so that a bucket that cannot be created is reported at the start and not when there is poison.
    await loop.#marks.suspects();
    reader.run(loop.#takeBatches());
    return loop;
  }

  /** What keeps events waiting right now, else undefined: for readiness. */
  get problem(): string | undefined {
    return this.#setAside.problem ?? this.#stuck.problem ?? this.#reader.problem;
  }

  /** Settles what is in flight or hands it back; a stop never causes a dead letter. */
  async stop(): Promise<void> {
    this.#stuck.close();
    this.#endBackstop();
    await this.#reader.stop();
    await this.#isolation.close();
  }

  async #takeBatches(): Promise<void> {
    for (let batch = await this.#mailbox.take(); batch !== undefined; batch = await this.#mailbox.take())
      await this.#isolation.handle(batch, (deliveries, guard) => this.#workOn(deliveries, guard));
  }

  /** Opens messages and works on their events. The mark of the first call also covers the opening. */
  async #workOn(deliveries: readonly Delivery[], guard: Guard): Promise<void> {
    let calls: readonly (readonly Work[])[] | undefined;
    await this.#hold(deliveries, guard, async () => {
      calls ??= callsOf(await this.#open(deliveries, guard.isAlone));
      return calls[0] ?? [];
    });
    for (const works of calls?.slice(1) ?? [])
      await this.#hold(deliveriesOf(works), guard, async () => works);
  }

  /** Repeats the call while something is away, and hands back when the process stops first. Any other throw is a bug: bisect. */
  async #hold(
    deliveries: readonly Delivery[],
    guard: Guard,
    worksOf: () => Promise<readonly Work[]>,
  ): Promise<void> {
    let works: readonly Work[] = [];
    const call = async () => {
      // No more than the broker takes: nothing piles up in memory.
      await this.#forwarder.room();
      await guard.run(deliveries, async () => {
        works = await worksOf();
        if (works.length > 0) this.#settle(works, await this.#ask(works));
      });
    };
    try {
      if (await this.#reader.hold("step", deliveries, call)) return;
    } catch (err) {
      if (works.length === 0) throw err;
      return this.#bisect(works, guard, err);
    }
    for (const delivery of works.length > 0 ? deliveriesOf(works) : deliveries) this.#mailbox.nak(delivery);
  }

  /** The step threw although nothing is away, a bug: finds the events it throws on, so that the others go on. */
  async #bisect(works: readonly Work[], guard: Guard, err: unknown): Promise<void> {
    const [work] = works;
    if (work !== undefined && works.length === 1) {
      this.#turnAway.event(work, await this.#turnAway.onFailure(work.delivery, err));
      return;
    }
    const half = Math.ceil(works.length / 2);
    for (const part of [works.slice(0, half), works.slice(half)])
      await this.#hold(deliveriesOf(part), guard, async () => part);
  }

  /** The events in these messages, in order. What is no event, or cannot be read now, is settled on the way. */
  async #open(deliveries: readonly Delivery[], isAlone: boolean): Promise<readonly Work[]> {
    const works: Work[] = [];
    for (const events of await this.#opener.open(deliveries)) {
      for (const event of events) {
        if ("outcome" in event) this.#turnAway.event(event, event.outcome);
        // A suspect could not be told from other messages.
        else if (isAlone && events.length > 1) this.#turnAway.apart(event.delivery, event.enclosed);
        else works.push(event);
      }
    }
    return works;
  }

  async #ask(works: readonly Work[]): Promise<readonly Outcome[]> {
    const { step } = this.#options;
    const outcomes = await step.enrich(works, { log: this.#log, signal: this.#reader.cut });
    if (outcomes.length !== works.length)
      throw new Error(`it gave ${outcomes.length} outcomes for ${works.length} events`);
    return outcomes;
  }

  #settle(works: readonly Work[], outcomes: readonly Outcome[]): void {
    const onward: Enriched[] = [];
    for (let index = 0; index < works.length; index++) {
      const work = works[index];
      const outcome = outcomes[index];
      if (work === undefined || outcome === undefined) continue; // both arrays have the same length
      if (outcome.kind === "forward") {
        const { event, rate } = outcome;
        const priced = rate === undefined ? work.enclosed.envelope : { ...work.enclosed.envelope, rate };
        onward.push({ work, event, envelope: this.#options.trace?.onward(work.enclosed, priced) ?? priced });
      } else this.#turnAway.event(work, outcome);
    }
    if (onward.length > 0) this.#forwarder.forward(onward);
  }
}
