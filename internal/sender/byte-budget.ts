import type { MailboxMeter } from "../jetstream/mailbox.ts";

/** What is made of an event for its call takes about as much again. */
const usualMost = 64 * 1024 * 1024;

/**
 * Bounds the bytes of events that a process holds for all of its destinations together. While they are too many, those that hold
 * more than an equal part take nothing more, so that a receiver that hangs keeps nobody else from its events.
 *
 * It may be exceeded: everybody can come up to an equal part, so to twice as much, and what was asked for before still comes.
 */
export class ByteBudget {
  readonly #most: number;
  readonly #shares = new Set<ByteShare>();
  #held = 0;

  constructor(most = usualMost) {
    this.#most = most;
  }

  /** Bytes that all hold. */
  get held(): number {
    return this.#held;
  }

  /** One more holder's part; to be closed. */
  open(): ByteShare {
    const share: ByteShare = new ByteShare({
      add: (bytes) => {
        this.#held += bytes;
      },
      isScarce: (held) => this.#held >= this.#most && held > this.#most / this.#shares.size,
      close: () => this.#shares.delete(share),
    });
    this.#shares.add(share);
    return share;
  }
}

interface Ledger {
  readonly add: (bytes: number) => void;
  readonly isScarce: (held: number) => boolean;
  readonly close: () => void;
}

/** What one destination holds. Told of each message of its mailboxes, as their meter. */
export class ByteShare implements MailboxMeter {
  readonly #ledger: Ledger;
  #held = 0;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** Whether it is to take nothing more until it, or others, have let go of something. */
  get isFull(): boolean {
    return this.#ledger.isScarce(this.#held);
  }

  opened(): void {}

  received({ data }: { readonly data: Uint8Array }): void {
    this.#add(data.length);
  }

  settled({ data }: { readonly data: Uint8Array }): void {
    this.#add(-data.length);
  }

  returned({ data }: { readonly data: Uint8Array }): void {
    this.#add(-data.length);
  }

  /** Nothing is held any more. */
  close(): void {
    this.#add(-this.#held);
    this.#ledger.close();
  }

  #add(bytes: number): void {
    this.#held += bytes;
    this.#ledger.add(bytes);
  }
}
