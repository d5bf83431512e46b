import type { Delivery } from "../jetstream/delivery.ts";
import type { Durable } from "../jetstream/durable.ts";
import type { Mailbox } from "../jetstream/mailbox.ts";
import type { Reader } from "../jetstream/reader.ts";
import type { Log } from "../service/log.ts";
import type { Destination } from "../webhooks/destination.ts";
import type { ByteBudget, ByteShare } from "./byte-budget.ts";
import { logDurable, waitingDurable } from "./durables.ts";
import { type Item, readFinal, readWaiting, typeOf, type Unreadable } from "./item.ts";
import type { RetryShares } from "./retry-shares.ts";

/** Messages pulled at once, and held: for single calls, and per additional event of a call. */
const pulled = 64;
const held = 256;
const heldPerMember = 16;
/** Bytes of one pull: larger than any event, and small because all destinations may pull at once. */
const pulledBytes = 2 * 1024 * 1024;
/** For each of the two mailboxes. */
const heldBytes = 4 * 1024 * 1024;
/** The longest delay for a message that is handed back. */
const longestNakMs = 3_600_000;

interface IntakeOptions {
  /** Opens its mailboxes; whoever stops it closes this too. */
  readonly reader: Reader;
  readonly destination: Destination;
  /** Whether events of this type go there now. */
  readonly isWanted: (type: string) => boolean;
  /** Takes nothing from the log while this is true; what waits comes all the same. */
  readonly pauses: () => boolean;
  /** The destination's share of the bytes that this process holds. */
  readonly bytes: ByteBudget;
  /** Learns how large waiting events are. */
  readonly shares: Pick<RetryShares, "saw">;
  readonly onItem: (item: Item) => void;
  /** Called when items have come. */
  readonly onBatch: () => void;
  readonly log: Log;
  /** Default: that of all consumers. */
  readonly ackWaitMs?: number | undefined;
}

/** Receives one destination's events: from the log, and from CASINO_RETRY once they are due. */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #share: ByteShare;
  #loops: Promise<unknown> = Promise.resolve();

  private constructor(options: IntakeOptions) {
    this.#options = options;
    this.#share = options.bytes.open();
  }

  /** Opens both mailboxes. @throws Error if a consumer cannot be created */
  static async open(options: IntakeOptions): Promise<Intake> {
    const intake = new Intake(options);
    const { destination, pauses } = options;
    try {
      const waiting = await intake.#open(waitingDurable(destination.id), () => false);
      const fresh = await intake.#open(logDurable(destination), pauses);
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

  /** Ends once the reader is stopped and all that came is passed on. */
  get ended(): Promise<unknown> {
    return this.#loops;
  }

  /** Counts nothing as held any more; after the reader has stopped. */
  close(): void {
    this.#share.close();
  }

  #open(durable: Durable, pauses: () => boolean): Promise<Mailbox> {
    const { reader, ackWaitMs, destination } = this.#options;
    const share = this.#share;
    return reader.open({
      durable: { ...durable, ackWaitMs },
      batch: pulled,
      requestBytes: pulledBytes,
      capacity: held + heldPerMember * destination.batch,
      capacityBytes: heldBytes,
      meter: share,
      accepts: () => !pauses() && !share.isFull,
    });
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
    this.#options.shares.saw(this.#options.destination.id, delivery.data.length);
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
    this.#options.log.error({ stream, seq }, `a message that is not a delivery is skipped: ${item.because}`);
    mailbox.term(delivery);
  }
}

/** Hands an item back until its player's turn, or for a while. */
export function putOff({ mailbox, delivery }: Item, waitMs: number): void {
  mailbox.nak(delivery, Math.min(waitMs, longestNakMs));
}
