import type { NatsConnection } from "nats";
import type { Delivery } from "../jetstream/delivery.ts";
import type { Durable } from "../jetstream/durable.ts";
import type { Stoppable } from "../jetstream/graceful-shutdown.ts";
import { Mailbox } from "../jetstream/mailbox.ts";
import type { StreamKeeper } from "../jetstream/stream-keeper.ts";
import type { Log } from "../service/log.ts";
import type { Destination } from "../webhooks/destination.ts";
import type { ByteBudget, ByteShare } from "./byte-budget.ts";
import { logDurable, waitingDurable } from "./durables.ts";
import { type Item, readFinal, readWaiting, typeOf, type Unreadable } from "./item.ts";

/** Messages pulled at once, and held: for single calls, and for each event more of a call. */
const pulled = 64;
const held = 256;
const heldPerMember = 16;
/** Of one pull: no event is as large, and those of all destinations may come at once. */
const pulledBytes = 2 * 1024 * 1024;
/** Of each of its two mailboxes. */
const heldBytes = 4 * 1024 * 1024;
const full = "this process holds as many bytes of events as it may";
/** A message is handed back for so long at most: then it is looked at again. */
const longestNakMs = 3_600_000;

export interface IntakeOptions {
  readonly nc: NatsConnection;
  readonly destination: Destination;
  readonly streams?: Pick<StreamKeeper, "restore"> | undefined;
  /** Whether events of this type go there now. */
  readonly isWanted: (type: string) => boolean;
  /** Takes nothing from the log while it gives a reason; what waits comes all the same. */
  readonly pause: () => string | undefined;
  /** Of what this process holds. */
  readonly bytes: ByteBudget;
  readonly onItem: (item: Item) => void;
  /** Some items have come. */
  readonly onBatch: () => void;
  readonly log: Log;
  /** Default: that of all consumers. */
  readonly ackWaitMs?: number | undefined;
}

/** What comes for one destination, from the log and from CASINO_RETRY, once its time has come. */
export class Intake implements Stoppable {
  readonly #options: IntakeOptions;
  readonly #share: ByteShare;
  readonly #mailboxes: Mailbox[] = [];
  #loops: Promise<unknown> = Promise.resolve();

  private constructor(options: IntakeOptions) {
    this.#options = options;
    this.#share = options.bytes.open();
  }

  /** Opens both mailboxes. @throws Error when a consumer cannot be created */
  static async open(options: IntakeOptions): Promise<Intake> {
    const intake = new Intake(options);
    const { destination } = options;
    try {
      const waiting = await intake.#open(waitingDurable(destination.id), () => undefined);
      const fresh = await intake.#open(logDurable(destination), options.pause);
      intake.#loops = Promise.all([
        intake.#take(waiting, (delivery) => intake.#onWaiting(delivery, waiting)),
        intake.#take(fresh, (delivery) => intake.#onFresh(delivery, fresh)),
      ]);
    } catch (err) {
      intake.close();
      throw err;
    }
    return intake;
  }

  /** Why nothing can be pulled, other than that a pause was asked for, or that enough is held; else undefined. */
  get problem(): string | undefined {
    const pause = this.#options.pause();
    return this.#mailboxes
      .map(({ problem }) => problem)
      .find((problem) => problem !== pause && problem !== full);
  }

  /** Ends once it is stopped and has passed on all that came. */
  get ended(): Promise<unknown> {
    return this.#loops;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#mailboxes.map((mailbox) => mailbox.stop()));
  }

  async allSettled(): Promise<void> {
    await Promise.all(this.#mailboxes.map((mailbox) => mailbox.allSettled()));
  }

  close(): void {
    for (const mailbox of this.#mailboxes) mailbox.close();
    this.#share.close();
  }

  async #open(durable: Durable, pause: () => string | undefined): Promise<Mailbox> {
    const { nc, log, streams, ackWaitMs, destination } = this.#options;
    const share = this.#share;
    const mailbox = await Mailbox.open(nc, {
      durable: ackWaitMs === undefined ? durable : { ...durable, ackWaitMs },
      ...(streams === undefined ? {} : { streams }),
      batch: pulled,
      requestBytes: pulledBytes,
      capacity: held + heldPerMember * destination.batch,
      capacityBytes: heldBytes,
      meter: share,
      pause: () => pause() ?? (share.isFull ? full : undefined),
      log,
    });
    this.#mailboxes.push(mailbox);
    return mailbox;
  }

  async #take(mailbox: Mailbox, on: (delivery: Delivery) => void): Promise<void> {
    for (let batch = await mailbox.take(); batch !== undefined; batch = await mailbox.take()) {
      for (const delivery of batch) on(delivery);
      this.#options.onBatch();
    }
  }

  #onFresh(delivery: Delivery, mailbox: Mailbox): void {
    if (this.#options.isWanted(typeOf(delivery))) this.#pass(readFinal(delivery, mailbox), delivery, mailbox);
    else mailbox.ack(delivery);
  }

  #onWaiting(delivery: Delivery, mailbox: Mailbox): void {
    const item = readWaiting(delivery, mailbox);
    const waitMs = "because" in item ? 0 : item.due - Date.now();
    if (waitMs > 0) mailbox.nak(delivery, Math.min(waitMs, longestNakMs));
    else this.#pass(item, delivery, mailbox);
  }

  #pass(item: Item | Unreadable, delivery: Delivery, mailbox: Mailbox): void {
    if (!("because" in item)) {
      this.#options.onItem(item);
      return;
    }
    const { stream, streamSequence: seq } = delivery;
    this.#options.log.error({ stream, seq }, `a message that is no delivery is left out: ${item.because}`);
    mailbox.term(delivery);
  }
}

/** Hands an item back for its player's turn, or for a while. */
export function putOff({ mailbox, delivery }: Item, waitMs: number): void {
  mailbox.nak(delivery, Math.min(waitMs, longestNakMs));
}
