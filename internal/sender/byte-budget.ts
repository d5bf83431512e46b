import type { MailboxMeter } from "../jetstream/mailbox.ts";

/** The body of an event's call takes about as much memory again. */
const usualMost = 64 * 1024 * 1024;

/**
 * Bounds the bytes of events that a process holds for all of its destinations together. Beyond the limit, a destination
 * that holds more than an equal share pulls no more events, so that a receiver that hangs does not starve the others.
 *
 * The limit may be exceeded: every destination may reach its share, so at most twice the limit, and pulls already
 * requested still deliver.
 */
export class ByteBudget {
  readonly #most: number;
  readonly #shares = new Set<ByteShare>();
  #held = 0;

  constructor(most = usualMost) {
    this.#most = most;
  }

  /** Bytes that all destinations hold. */
  get held(): number {
    return this.#held;
  }

  /** The share of one more destination. The caller closes it. */
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

/** The bytes that one destination holds. It is the meter of its mailboxes, which report each message to it. */
export class ByteShare implements MailboxMeter {
  readonly #ledger: Ledger;
  #held = 0;
  #isClosed = false;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** Whether the destination must pull no more until it or others have released something. */
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

  /** Releases everything, and counts nothing that comes later. */
  close(): void {
    this.#add(-this.#held);
    this.#isClosed = true;
    this.#ledger.close();
  }

  #add(bytes: number): void {
    if (this.#isClosed) return;
    this.#held += bytes;
    this.#ledger.add(bytes);
  }
}
