import type { Reader } from "../jetstream/reader.ts";
import type { DeliveryRecord } from "../webhooks/deliveries.ts";

/** Rows of one insert. */
const mostAtOnce = 500;

interface RecorderOptions {
  /** Stores records, all or none. @throws Unavailable */
  readonly store: (records: readonly DeliveryRecord[]) => Promise<void>;
  /** Whose messages wait for it. What is not stored when its time runs out is not recorded. */
  readonly reader: Pick<Reader, "hold" | "cut">;
}

interface Entry {
  readonly record: DeliveryRecord;
  readonly resolve: (isStored: boolean) => void;
}

/**
 * Records attempts, concurrent ones in one insert. A message is settled only after its attempt is recorded, so every
 * acknowledged event has its record, whenever the process dies.
 */
export class Recorder {
  readonly #options: RecorderOptions;
  readonly #waiting: Entry[] = [];
  #isStoring = false;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  /**
   * Resolves to true once it is stored, however long Postgres is away; to false if the process stops first. Never
   * rejects.
   */
  record(record: DeliveryRecord): Promise<boolean> {
    return new Promise((resolve) => {
      this.#waiting.push({ record, resolve });
      if (!this.#isStoring) void this.#storeAll();
    });
  }

  async #storeAll(): Promise<void> {
    this.#isStoring = true;
    // Records of one turn of the event loop go into one insert.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, mostAtOnce);
      const isStored = await this.#store(batch.map(({ record }) => record));
      for (const { resolve } of batch) resolve(isStored);
    }
    this.#isStoring = false;
  }

  #store(records: readonly DeliveryRecord[]): Promise<boolean> {
    const { store, reader } = this.#options;
    const isFinal = () => false;
    return reader.hold("deliveries", records, () => store(records), { isFinal, until: reader.cut });
  }
}
