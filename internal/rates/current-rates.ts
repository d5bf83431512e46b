import type { NatsConnection } from "nats";
import { readLast } from "../jetstream/stored-message.ts";
import { decodeSnapshot, type RateSnapshot } from "./rate-snapshot.ts";

/** The rates that the pipeline used last, from its bucket; they go away by themselves after a minute. */
export function currentRates(nc: NatsConnection): () => Promise<RateSnapshot | undefined> {
  return async () => {
    try {
      const stored = await readLast(nc, "KV_casino_rates", "$KV.casino_rates.EUR");
      return stored && decodeSnapshot(Buffer.from(stored.data).toString());
    } catch {
      // No bucket, no answer, or an entry that cannot be read: nothing to tell by.
      return undefined;
    }
  };
}
