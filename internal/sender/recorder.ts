import { pauseAfter } from "../service/back-off.ts";
import type { Outage } from "../service/outage.ts";
import type { DeliveryRecord } from "../webhooks/deliveries.ts";

/** Rows of one insert. */
const mostAtOnce = 500;

export interface RecorderOptions {
  /** Stores records, all or none. @throws Unavailable */
  readonly store: (records: readonly DeliveryRecord[]) => Promise<void>;
  /** Of what keeps deliveries waiting. */
  readonly outage: Outage;
  /** Ends the waiting: what is not stored by then is not recorded. */
  readonly signal: AbortSignal;
}

interface Entry {
  readonly record: DeliveryRecord;
  readonly resolve: (isStored: boolean) => void;
}

/**
 * Records attempts, those that come together in one insert. Whoever settles a message waits for it first: what is acknowledged
 * is recorded, whenever the process dies.
 */
export class Recorder {
  readonly #options: RecorderOptions;
  readonly #waiting: Entry[] = [];
  #isStoring = false;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  /** Resolves once it is stored, however long Postgres is away; to false when the process stops first. Never rejects. */
  record(record: DeliveryRecord): Promise<boolean> {
    return new Promise((resolve) => {
      this.#waiting.push({ record, resolve });
      if (!this.#isStoring) void this.#storeAll();
    });
  }

  async #storeAll(): Promise<void> {
    this.#isStoring = true;
    // Those of one turn travel together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, mostAtOnce);
      const isStored = await this.#store(batch.map(({ record }) => record));
      for (const { resolve } of batch) resolve(isStored);
    }
    this.#isStoring = false;
  }

  async #store(records: readonly DeliveryRecord[]): Promise<boolean> {
    const { store, outage, signal } = this.#options;
    for (let attempt = 1; ; attempt++)
      try {
        await store(records);
        outage.succeeded("deliveries", records);
        return true;
      } catch (err) {
        if (signal.aborted) return false;
        const lasts = outage.failed(
          "deliveries",
          records,
          err instanceof Error ? err : new Error(String(err)),
        );
        await pauseAfter(Math.max(attempt, lasts), signal);
        if (signal.aborted) return false;
      }
  }
}
