import type { NatsConnection } from "nats";
import { finalStage, retryStream, stageStream } from "../messages/subjects.ts";
import type { Log } from "../service/log.ts";
import { ConsumerKeeper } from "./consumer-keeper.ts";
import type { Delivery } from "./delivery.ts";
import { ackWaitMs, type Durable } from "./durable.ts";
import { LastAck } from "./last-ack.ts";
import { Puller, type PullerOptions } from "./puller.ts";
import { SlotMap } from "./slot-map.ts";
import type { StreamKeeper } from "./stream-keeper.ts";

/** Counts what becomes of a mailbox's deliveries. Called for each, so it has to be quick. */
export interface MailboxMeter {
  /** Called once, at the opening. @param inFlight how many events the mailbox holds */
  opened(inFlight: () => number): void;
  received(delivery: Delivery): void;
  settled(delivery: Delivery): void;
  /** It was handed back. */
  returned(delivery: Delivery): void;
}

export interface MailboxOptions extends Pick<PullerOptions, "requestBytes" | "gathers"> {
  readonly durable: Durable;
  readonly log: Log;
  readonly meter?: MailboxMeter | undefined;
  /** Recreates the consumer's stream when somebody deletes it; default: it stays missing until someone else does. */
  readonly streams?: Pick<StreamKeeper, "restore"> | undefined;
  /** Pulls nothing while this returns a sentence, which is then its `problem`. */
  readonly pause?: (() => string | undefined) | undefined;
  /** Pulls nothing while this is false, which is no problem. */
  readonly accepts?: () => boolean;
  readonly batch?: number;
  /** Most bytes in one batch, at least one message: a message may carry a thousand events. */
  readonly batchBytes?: number;
  /** Most deliveries held at once: waiting or taken, and not yet settled. */
  readonly capacity?: number;
  /** Requests no more while it holds this many bytes. Bounds this process's memory. */
  readonly capacityBytes?: number;
}

const renewalsPerAckWait = 6;

/**
 * Takes the messages of one durable consumer in batches and holds each until it is settled.
 *
 * It renews what it holds at the server (`working()`) for as long as needed, so no outage raises a delivery count.
 * It pulls only what it has room for.
 */
export class Mailbox {
  readonly #batch: number;
  readonly #batchBytes: number;
  readonly #pause: () => string | undefined;
  readonly #capacity: number;
  readonly #puller: Puller;
  readonly #renewal: NodeJS.Timeout;
  readonly #meter: MailboxMeter | undefined;
  readonly #consumer: ConsumerKeeper;
  readonly #waiting: Delivery[] = [];
  readonly #held = new SlotMap<Delivery>();
  #heldBytes = 0;
  #renewals = 0;
  #wakeTaker: (() => void) | undefined;
  #wakeSettled: (() => void) | undefined;
  readonly #handBack: Delivery[] = [];
  readonly #lastAck: LastAck | undefined;
  #stopping = false;
  #stopped = false;

  private constructor(
    nc: NatsConnection,
    consumer: ConsumerKeeper,
    {
      durable,
      meter,
      batch = 256,
      batchBytes = Number.POSITIVE_INFINITY,
      capacity = 1024,
      capacityBytes = 32 * 1024 * 1024,
      pause = () => undefined,
      accepts = () => true,
      ...pulling
    }: MailboxOptions,
  ) {
    this.#batch = batch;
    this.#batchBytes = batchBytes;
    this.#pause = pause;
    this.#capacity = capacity;
    this.#consumer = consumer;
    if (![stageStream(finalStage), retryStream].includes(durable.stream)) this.#lastAck = new LastAck();
    this.#meter = meter;
    meter?.opened(() => this.#held.all().reduce((sum, { events }) => sum + events, 0));
    this.#puller = new Puller(nc, {
      ...pulling,
      stream: durable.stream,
      consumer: durable.name,
      batch,
      room: () =>
        this.#heldBytes < capacityBytes && accepts() && pause() === undefined
          ? this.#capacity - this.#held.size
          : 0,
      onDelivery: (delivery) => this.#onDelivery(delivery),
      onRefused: (code, description) => consumer.refused(code, description),
      onServed: () => consumer.served(),
    });
    const renewalMs = (durable.ackWaitMs ?? ackWaitMs) / renewalsPerAckWait;
    this.#renewal = setInterval(() => this.#renew(), renewalMs).unref();
  }

  /** Creates the durable consumer where it is missing and starts to pull. @throws Error when it cannot */
  static async open(nc: NatsConnection, options: MailboxOptions): Promise<Mailbox> {
    const consumer = new ConsumerKeeper(nc, options);
    await consumer.open();
    return new Mailbox(nc, consumer, options);
  }

  /**
   * The next batch, in order of delivery, as soon as there is one message; undefined once stopped. One caller at a
   * time.
   */
  async take(): Promise<readonly Delivery[] | undefined> {
    while (this.#waiting.length === 0) {
      if (this.#stopped) return undefined;
      await new Promise<void>((resolve) => {
        this.#wakeTaker = resolve;
      });
    }
    if (this.#stopped) return undefined;
    return this.#waiting.splice(0, this.#batchSize());
  }

  /** How many of the waiting messages make a batch. */
  #batchSize(): number {
    const most = Math.min(this.#waiting.length, this.#batch);
    let bytes = 0;
    for (let size = 0; size < most; size++) {
      bytes += this.#waiting[size]?.data.length ?? 0;
      if (bytes > this.#batchBytes) return Math.max(1, size);
    }
    return most;
  }

  /** Settles one event of a delivery. The last one acknowledges the delivery. */
  ack(delivery: Delivery): void {
    if (--delivery.unsettled > 0) return;
    if (this.#held.size > 1 || this.#stopping || this.#lastAck === undefined) delivery.ack();
    else this.#lastAck.ack(delivery);
    if (this.#release(delivery)) this.#meter?.settled(delivery);
  }

  term(delivery: Delivery): void {
    delivery.term();
    if (this.#release(delivery)) this.#meter?.settled(delivery);
  }

  /**
   * Hands the whole delivery back. While stopping it is kept until pulling has ended: earlier it would only come to
   * this mailbox again.
   */
  nak(delivery: Delivery, delayMs?: number): void {
    if (this.#stopping && !this.#stopped) {
      this.#handBack.push(delivery);
      return;
    }
    delivery.nak(delayMs);
    if (this.#release(delivery)) this.#meter?.returned(delivery);
  }

  /** Enqueues a delivery once more after a pause; it stays held meanwhile. */
  putBack(delivery: Delivery, afterMs: number): void {
    setTimeout(() => {
      if (this.#stopped) this.nak(delivery);
      else this.#enqueue(delivery);
    }, afterMs);
  }

  /** Why nothing can be pulled at the moment, else undefined. */
  get problem(): string | undefined {
    return this.#consumer.problem ?? this.#pause();
  }

  /**
   * Stops pulling, which takes up to a second; passes on what arrives meanwhile and hands back what nobody took. What
   * was taken stays held until it is settled.
   */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#lastAck?.release();
    await this.#puller.drain();
    this.#stopped = true;
    for (const delivery of [...this.#handBack.splice(0), ...this.#waiting.splice(0)]) this.nak(delivery);
    this.#wakeTaker?.();
  }

  /** Resolves when everything taken is settled; for a shutdown, after `stop`. */
  async allSettled(): Promise<void> {
    if (this.#held.size > 0)
      await new Promise<void>((resolve) => {
        this.#wakeSettled = resolve;
      });
  }

  /** Hands back everything still held, taken or not: the last resort when a shutdown runs out of time. */
  close(): void {
    clearInterval(this.#renewal);
    this.#consumer.close();
    this.#stopped = true;
    for (const delivery of this.#held.all()) this.nak(delivery);
  }

  #onDelivery(delivery: Delivery): void {
    this.#consumer.served();
    this.#lastAck?.release();
    delivery.heldIn = this.#held.add(delivery);
    delivery.renewedAt = this.#renewals;
    this.#meter?.received(delivery);
    this.#heldBytes += delivery.data.length;
    this.#enqueue(delivery);
  }

  #enqueue(delivery: Delivery): void {
    this.#waiting.push(delivery);
    this.#wakeTaker?.();
    this.#wakeTaker = undefined;
  }

  /** False when it was released before, as when several of its events are handed back. */
  #release(delivery: Delivery): boolean {
    if (this.#held.at(delivery.heldIn) !== delivery) return false;
    this.#held.remove(delivery.heldIn);
    this.#heldBytes -= delivery.data.length;
    this.#consumer.moved();
    if (!this.#stopped) this.#puller.wake();
    else if (this.#held.size === 0) this.#wakeSettled?.();
    return true;
  }

  /** Renews what was held for one to two ticks, that is after a third of its ack_wait at the latest. */
  #renew(): void {
    this.#renewals++;
    for (const delivery of this.#held.all()) {
      if (this.#renewals - delivery.renewedAt < 2) continue;
      delivery.working();
      delivery.renewedAt = this.#renewals;
    }
  }
}
