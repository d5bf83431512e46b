import type { NatsConnection } from "nats";
import { countBySubject, stateOf } from "../jetstream/stream-state.ts";
import { retryStream, retrySubject } from "../messages/subjects.ts";
import type { Log } from "../service/log.ts";
import type { Destination } from "../webhooks/destination.ts";

/** Bytes of a waiting delivery beside its event: headers, and what the broker adds. */
const beside = 500;
/** The mean size of a destination's events goes by about this many of the last ones. */
const remembered = 64;

/**
 * Shares CASINO_RETRY among clients. While it is more than half full, a client of whose events more wait there than an
 * equal share of that half gets nothing new into it, only what waits is tried again. Untried events stay in the log
 * and in the archive. So the other half remains for clients below their share.
 */
export class RetryShares {
  readonly #nc: NatsConnection;
  readonly #log: Log;
  /** The mean size of each destination's waiting events, because the broker reports only their number. */
  readonly #sizes = new Map<string, number>();
  #over: ReadonlyMap<string, string> = new Map();

  constructor(nc: NatsConnection, log: Log) {
    this.#nc = nc;
    this.#log = log;
  }

  /** Whether nothing new of this client may wait in CASINO_RETRY. */
  isOver(client: string): boolean {
    return this.#over.has(client);
  }

  /** A sentence for each client that holds too much. */
  get warnings(): readonly string[] {
    return [...this.#over.values()];
  }

  /** Learns from a waiting delivery how large those of its destination are. */
  saw(destination: string, bytes: number): void {
    const mean = this.#sizes.get(destination) ?? bytes;
    this.#sizes.set(destination, mean + (bytes - mean) / remembered);
  }

  /** Compares what waits for all destinations. @throws Unavailable, StreamMissing */
  async look(destinations: readonly Destination[]): Promise<void> {
    const { bytes, messages, maxBytes } = await stateOf(this.#nc, retryStream);
    const isScarce = maxBytes > 0 && bytes > maxBytes / 2;
    const held = isScarce ? await this.#heldBy(destinations, bytes / messages) : new Map<string, number>();
    const share = maxBytes / 2 / held.size;
    const over = new Map<string, string>();
    for (const [client, most] of held) if (most > share) over.set(client, warningOf(client, most, maxBytes));
    for (const [client, text] of over) if (!this.isOver(client)) this.#log.warn({ client }, text);
    this.#over = over;
  }

  /** The bytes that wait for each client. @param usual the size of a message where nothing is known of it */
  async #heldBy(destinations: readonly Destination[], usual: number): Promise<ReadonlyMap<string, number>> {
    const counts = await countBySubject(this.#nc, retryStream, retrySubject("*"));
    const held = new Map<string, number>();
    for (const { id, client } of destinations) {
      const count = counts.get(retrySubject(id)) ?? 0;
      const size = this.#sizes.get(id);
      const bytes = count * (size === undefined ? usual : size + beside);
      if (count > 0) held.set(client, (held.get(client) ?? 0) + bytes);
    }
    return held;
  }
}

function warningOf(client: string, bytes: number, maxBytes: number): string {
  const [held, all] = [bytes, maxBytes].map((each) => Math.round(each / 1024 / 1024));
  return `Retries of ${client} take some ${held} of the ${all} MiB of ${retryStream}: its destinations get no new events until that is less. See which of them fail: npm run deliveries -- list --client ${client} --outcome failed`;
}
