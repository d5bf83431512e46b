import { setTimeout as sleep } from "node:timers/promises";
import { LetterWriter } from "../actor/letter-writer.ts";
import type { Publisher } from "../jetstream/publisher.ts";
import { Reader, type ReaderOptions } from "../jetstream/reader.ts";
import { senderName } from "../messages/subjects.ts";
import type { HopTrace } from "../messages/trace.ts";
import type { Deliverer } from "../webhooks/deliver.ts";
import type { DeliveryRecord } from "../webhooks/deliveries.ts";
import { type Destination, wants } from "../webhooks/destination.ts";
import { webhookMessage } from "../webhooks/message.ts";
import type { RetryPlan } from "../webhooks/retry-plan.ts";
import type { ByteBudget } from "./byte-budget.ts";
import type { CallLimit } from "./call-limit.ts";
import { CallQueue } from "./call-queue.ts";
import { Caller } from "./caller.ts";
import { Intake, putOff } from "./intake.ts";
import type { Item } from "./item.ts";
import { PlayerOrder } from "./player-order.ts";
import { readQueue } from "./read-queue.ts";
import { Recorder } from "./recorder.ts";
import type { RetryShares } from "./retry-shares.ts";
import { type DeliveryMeter, Settlement } from "./settlement.ts";
import { traced } from "./traced.ts";

/** Dependencies that all runs of one process share. */
export interface SenderContext extends ReaderOptions {
  readonly publisher: Publisher;
  readonly deliverer: Pick<Deliverer, "deliver">;
  /** Stores records of attempts, all or none. @throws Unavailable */
  readonly record: (records: readonly DeliveryRecord[]) => Promise<void>;
  readonly plan: RetryPlan;
  readonly calls: CallLimit;
  readonly bytes: ByteBudget;
  readonly shares: RetryShares;
  readonly meter?: DeliveryMeter | undefined;
  /** The meter for the durable consumer of this name. */
  readonly trace?: ((consumer: string) => HopTrace) | undefined;
  /** Default: the same as all consumers. */
  readonly ackWaitMs?: number | undefined;
  /** For tests: how many deliveries of an ordered destination may wait. */
  readonly mostBehind?: number;
}

interface RunOptions extends SenderContext {
  readonly destination: Destination;
  /** Called when the receiver answered 410: it wants no more calls. */
  readonly onGone: () => void;
}

/**
 * Delivers the events of one destination to its receiver: those from the log, and those that wait in CASINO_RETRY until
 * they are due. A failed event leaves the log at once, so that neither an event nor a dead receiver holds up others.
 * While the breaker is open, untried events stay in the log.
 *
 * Several processes may run one destination, unless it is `ordered` or has a rate limit: then only one.
 */
export class DestinationRun {
  readonly #options: RunOptions;
  #destination: Destination;
  readonly #reader: Reader;
  readonly #caller: Caller;
  /** The order of players' events, if the destination is ordered. */
  readonly order: PlayerOrder | undefined;
  readonly #queue: CallQueue;
  readonly #settlement: Settlement;
  readonly #trace: HopTrace | undefined;
  #intake: Intake | undefined;
  readonly #underWay = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #holds: boolean;
  #inCalls = 0;
  readonly #wake = () => this.#callAll();

  private constructor(options: RunOptions) {
    const { nc, publisher, destination, plan, log, record, deliverer, calls } = options;
    this.#options = options;
    this.#destination = destination;
    this.#reader = new Reader(senderName(destination.id), options);
    const { rateLimit, client } = destination;
    this.#caller = new Caller({ deliverer, calls, client, plan, rateLimit, wake: this.#wake });
    this.order = destination.ordered ? new PlayerOrder(options.mostBehind) : undefined;
    // Events that the destination missed come first.
    this.#holds = destination.ordered;
    this.#queue = new CallQueue(this.order);
    this.#trace = options.trace?.(senderName(destination.id));
    this.#settlement = new Settlement({
      destination: destination.id,
      plan,
      nc,
      publisher,
      letters: new LetterWriter(nc, publisher),
      reader: this.#reader,
      recorder: new Recorder({ store: record, reader: this.#reader }),
      order: this.order,
      meter: options.meter,
      log,
    });
  }

  /** Opens the mailboxes and starts to deliver. @throws Error if a consumer cannot be created; Unavailable; the signal's reason */
  static async start(options: RunOptions, signal: AbortSignal): Promise<DestinationRun> {
    const run = new DestinationRun(options);
    await run.#open(signal).catch(async (err: unknown) => {
      await run.#reader.stop();
      throw err;
    });
    return run;
  }

  get destination(): Destination {
    return this.#destination;
  }

  /** Applies changed settings from the next call on. */
  change(destination: Destination): void {
    this.#destination = destination;
    this.#caller.rateLimit = destination.rateLimit;
    this.#callAll();
  }

  /** Whether to take nothing from the log, as while earlier events are brought first, out of the archive. */
  hold(holds: boolean): void {
    this.#holds = holds;
  }

  /** Events in hand: those that wait for a call, and those whose call is in flight or has just ended. */
  get inHand(): number {
    return this.#queue.size + this.#inCalls;
  }

  /** The receiver's state. */
  get caller(): Pick<Caller, "failingSince" | "succeededAt" | "forgetFailures"> {
    return this.#caller;
  }

  /** Why deliveries wait although the receiver is not the cause; otherwise undefined. */
  get problem(): string | undefined {
    return this.#reader.problem;
  }

  /** Settles calls in flight, or hands their events back. @param atOnce cuts those calls off */
  async stop(atOnce = false): Promise<void> {
    if (atOnce) this.#reader.abandon();
    clearTimeout(this.#timer);
    this.#caller.close();
    await this.#reader.stop();
    this.#intake?.close();
  }

  async #open(signal: AbortSignal): Promise<void> {
    const { log, ackWaitMs, destination, bytes, shares } = this.#options;
    const reader = this.#reader;
    if (this.order !== undefined) await this.#learnOrder(this.order, signal);
    const intake = await Intake.open({
      ...{ reader, destination, log, ackWaitMs, bytes, shares },
      isWanted: (type) => wants(this.#destination, type),
      pauses: () => this.#pauses(),
      onItem: (item) => this.#queue.add(item),
      onBatch: this.#wake,
    });
    this.#intake = intake;
    reader.stopping.addEventListener("abort", () => this.#handBack(), { once: true });
    // What is left over is settled or delivered again, so nothing else has to wait.
    reader.run(intake.ended.then(() => Promise.all(this.#underWay)).then(() => reader.abandon()));
  }

  /** Reads which players already have waiting events; no other process works on this destination now. */
  async #learnOrder(order: PlayerOrder, signal: AbortSignal): Promise<void> {
    for await (const { event, name, due } of readQueue(this.#options.nc, this.#destination.id, signal))
      if (event.playerId !== undefined) order.waits(event.playerId, name, event.sequence, due);
  }

  /** Whether nothing is taken from the log: earlier events come first, too much waits, or its receiver takes no calls. */
  #pauses(): boolean {
    if (this.order?.isFull || this.#options.shares.isOver(this.#destination.client)) return true;
    const { isPausing, isProbing, isCalling } = this.#caller;
    return this.#holds || isPausing || (isProbing && (isCalling || this.#queue.size > 0));
  }

  /** Starts as many calls as may start now. */
  #callAll(): void {
    if (this.#reader.stopping.aborted) return;
    for (;;) {
      const waitMs = this.#caller.waitMs();
      if (waitMs === undefined) return;
      if (waitMs > 0) {
        this.#callIn(waitMs);
        return;
      }
      if (this.#queue.size === 0 || !this.#caller.enter()) return;
      const turn = this.#queue.next(this.#caller.isProbing ? 1 : this.#destination.batch, Date.now());
      if (turn?.kind === "call") {
        this.#follow(this.#call(turn.items));
        continue;
      }
      this.#caller.leave();
      if (turn === undefined) return;
      if (turn.kind === "behind") this.#follow(this.#settlement.putBehind(turn.item));
      else putOff(turn.item, turn.waitMs);
    }
  }

  #callIn(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#wake, Math.ceil(ms));
  }

  #follow(work: Promise<void>): void {
    const followed = work.finally(() => {
      this.#underWay.delete(followed);
      this.#callAll();
    });
    this.#underWay.add(followed);
  }

  /** Rejects only for a bug. */
  async #call(items: readonly Item[]): Promise<void> {
    for (const { event } of items) if (event.playerId !== undefined) this.order?.enter(event.playerId);
    const message = webhookMessage(
      items.map(({ event }) => event),
      items.length > 1,
    );
    const since = this.#options.meter?.now();
    this.#inCalls += items.length;
    try {
      const attempt = await traced(this.#trace, items, () =>
        this.#caller.call(this.#destination, message, this.#reader.cut),
      );
      // A stop aborted the call: its events are delivered again.
      if (attempt === undefined) return;
      if (attempt.gone) await this.#keep(items);
      else await Promise.all(items.map((item) => this.#settlement.settle(item, attempt, message.id, since)));
    } finally {
      this.#inCalls -= items.length;
      for (const { event } of items) if (event.playerId !== undefined) this.order?.leave(event.playerId);
    }
  }

  /** The receiver wants no more calls. It is asked again if the run does not end, as when it was enabled again at once. */
  async #keep(items: readonly Item[]): Promise<void> {
    this.#options.onGone();
    const [pauseMs = 5_000] = this.#options.plan;
    await sleep(pauseMs, undefined, { signal: this.#reader.stopping }).catch(() => undefined);
    if (!this.#reader.stopping.aborted) this.#queue.putBack(items);
  }

  #handBack(): void {
    for (const { mailbox, delivery } of this.#queue.takeAll()) mailbox.nak(delivery);
  }
}
