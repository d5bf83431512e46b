import type { NatsConnection } from "nats";
import { readLast } from "../jetstream/stored-message.ts";
import { decodeSnapshot, type RateSnapshot } from "./rate-snapshot.ts";

/** The rates that the pipeline last used, from its bucket; they expire after a minute. */
export function currentRates(nc: NatsConnection): () => Promise<RateSnapshot | undefined> {
  return async () => {
    try {
      const stored = await readLast(nc, "KV_casino_rates", "$KV.casino_rates.EUR");
      return stored && decodeSnapshot(Buffer.from(stored.data).toString());
    } catch {
      // No bucket, no answer, or an unreadable entry: nothing is known.
      return undefined;
    }
  };
}
