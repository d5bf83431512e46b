import type { NatsConnection } from "nats";
import type { Log } from "../log.ts";
import type { Delivery } from "./delivery.ts";
import { ackWaitMs, type Durable, ensureDurable } from "./durable.ts";
import { Puller } from "./puller.ts";
import { Slots } from "./slots.ts";

export interface MailboxOptions {
  readonly durable: Durable;
  readonly log: Log;
  /** Most deliveries in one batch. */
  readonly batch?: number;
  /** Most deliveries held at once: taken or waiting to be taken, and not yet settled. */
  readonly capacity?: number;
  /** No more is asked for while this many bytes are held. Bounds this process's memory. */
  readonly capacityBytes?: number;
}

const renewalsPerAckWait = 6;

/**
 * The messages of one durable consumer as batches, each message held until its holder settles it.
 *
 * What is held is renewed at the server (`working()`) for as long as it takes, so an outage of anything raises no
 * delivery count. It pulls only what it has room for; whoever holds much gets no more.
 */
export class Mailbox {
  readonly #batch: number;
  readonly #capacity: number;
  readonly #puller: Puller;
  readonly #renewal: NodeJS.Timeout;
  readonly #log: Log;
  readonly #ensure: () => Promise<void>;
  #waiting: Delivery[] = [];
  readonly #held = new Slots<Delivery>();
  #heldBytes = 0;
  #renewals = 0;
  #wakeTaker: (() => void) | undefined;
  #wakeSettled: (() => void) | undefined;
  readonly #handBack: Delivery[] = [];
  #stopping = false;
  #stopped = false;
  #refusal: string | undefined;

  private constructor(
    nc: NatsConnection,
    { durable, log, batch = 256, capacity = 1024, capacityBytes = 32 * 1024 * 1024 }: MailboxOptions,
  ) {
    this.#batch = batch;
    this.#capacity = capacity;
    this.#log = log;
    this.#ensure = () => ensureDurable(nc, durable);
    this.#puller = new Puller(nc, {
      stream: durable.stream,
      consumer: durable.name,
      batch,
      room: () => (this.#heldBytes < capacityBytes ? this.#capacity - this.#held.size : 0),
      onDelivery: (delivery) => this.#onDelivery(delivery),
      onRefused: (code, description) => void this.#onRefused(code, description),
    });
    const renewalMs = (durable.ackWaitMs ?? ackWaitMs) / renewalsPerAckWait;
    this.#renewal = setInterval(() => this.#renew(), renewalMs).unref();
  }

  /** Creates the durable consumer where it is missing and starts to pull. @throws Error when it cannot be created. */
  static async open(nc: NatsConnection, options: MailboxOptions): Promise<Mailbox> {
    await ensureDurable(nc, options.durable);
    return new Mailbox(nc, options);
  }

  /** The next batch, in the order delivered, as soon as there is one message; undefined once stopped. One taker at a time. */
  async take(): Promise<readonly Delivery[] | undefined> {
    while (this.#waiting.length === 0) {
      if (this.#stopped) return undefined;
      await new Promise<void>((resolve) => {
        this.#wakeTaker = resolve;
      });
    }
    if (this.#stopped) return undefined;
    if (this.#waiting.length <= this.#batch) {
      const all = this.#waiting;
      this.#waiting = [];
      return all;
    }
    return this.#waiting.splice(0, this.#batch);
  }

  ack(delivery: Delivery): void {
    delivery.ack();
    this.#release(delivery);
  }

  term(delivery: Delivery): void {
    delivery.term();
    this.#release(delivery);
  }

  /** While it stops, it goes back at the end of that: earlier it would only come again, to this very mailbox. */
  nak(delivery: Delivery, delayMs?: number): void {
    if (this.#stopping && !this.#stopped) {
      this.#handBack.push(delivery);
      return;
    }
    delivery.nak(delayMs);
    this.#release(delivery);
  }

  /** To be taken once more, after all that waits by then; held meanwhile. */
  putBack(delivery: Delivery, afterMs: number): void {
    setTimeout(() => {
      if (this.#stopped) this.nak(delivery);
      else this.#enqueue(delivery);
    }, afterMs);
  }

  /** Why nothing can be pulled at the moment, else undefined. */
  get problem(): string | undefined {
    return this.#refusal;
  }

  /**
   * Stops pulling, which takes up to a second, hands over what still comes meanwhile, and hands back what nobody took
   * until then; what was taken stays held until its holder settles it.
   */
  async stop(): Promise<void> {
    this.#stopping = true;
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

  /** Hands back everything still held, taken or not: the last resort of a shutdown that has no time left. */
  close(): void {
    clearInterval(this.#renewal);
    this.#stopped = true;
    for (const delivery of this.#held.all()) this.nak(delivery);
  }

  #onDelivery(delivery: Delivery): void {
    this.#refusal = undefined;
    delivery.heldIn = this.#held.add(delivery);
    delivery.renewedAt = this.#renewals;
    this.#heldBytes += delivery.data.length;
    this.#enqueue(delivery);
  }

  #enqueue(delivery: Delivery): void {
    this.#waiting.push(delivery);
    this.#wakeTaker?.();
    this.#wakeTaker = undefined;
  }

  #release(delivery: Delivery): void {
    if (this.#held.at(delivery.heldIn) !== delivery) return;
    this.#held.remove(delivery.heldIn);
    this.#heldBytes -= delivery.data.length;
    if (!this.#stopped) this.#puller.wake();
    else if (this.#held.size === 0) this.#wakeSettled?.();
  }

  /** What has been held for one to two ticks of the timer: in a third of its ack_wait at the latest. */
  #renew(): void {
    this.#renewals++;
    for (const delivery of this.#held.all()) {
      if (this.#renewals - delivery.renewedAt < 2) continue;
      delivery.working();
      delivery.renewedAt = this.#renewals;
    }
  }

  /** Someone deleted the consumer, or its leader is moving: make sure it exists, the puller asks again by itself. */
  async #onRefused(code: number, description: string): Promise<void> {
    const said = `the broker refuses to deliver (${code} ${description.trim() || "no responders"})`;
    if (this.#refusal === undefined) this.#log.warn({ code }, said);
    this.#refusal = said;
    try {
      await this.#ensure();
      this.#refusal = undefined;
    } catch (err) {
      this.#log.warn({ err }, "the consumer cannot be created yet");
    }
  }
}
