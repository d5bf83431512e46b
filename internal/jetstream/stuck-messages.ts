import type { NatsConnection } from "nats";
import { apartStream } from "../messages/subjects.ts";
import type { Log } from "../service/log.ts";
import { lookEvery } from "../service/look-every.ts";
import { askBroker } from "./api.ts";
import { consumerOf } from "./consumer-state.ts";
import { type Durable, ensureDurable } from "./durable.ts";
import { countBySubject, stateOf } from "./stream-state.ts";

const defaultEveryMs = 10_000;

/** A range of sequences with messages that a consumer will not deliver. */
export interface StuckRange {
  readonly firstSeq: number;
  readonly lastSeq: number;
}

/**
 * Finds messages that a work queue holds although its consumer reports no work: no lag shows them, and they fill the
 * queue. Three ways lead there:
 *
 * - A killed nats-server 2.9 remembers the acknowledgements, but not that it removed the messages.
 * - In a cluster of such servers, a consumer whose leader has moved does not count messages that arrived meanwhile.
 * - Somebody limited the consumer's `max_deliver`, and nobody heard that the broker gave up.
 *
 * Stream and consumer are not read at the same instant: only what stays the same is stuck.
 * @returns undefined when nothing is stuck
 * @throws Unavailable, StreamMissing
 */
export async function findStuck(
  nc: NatsConnection,
  { stream, name, filter }: Pick<Durable, "stream" | "name" | "filter">,
): Promise<StuckRange | "no consumer" | undefined> {
  const [state, consumer] = await Promise.all([stateOf(nc, stream), consumerOf(nc, stream, name)]);
  if (consumer === undefined) return "no consumer";
  if (state.messages === 0) return undefined;
  const { firstSeq } = state;
  const isIdle = consumer.pending === 0 && consumer.unacknowledged === 0;
  // This stream holds the events of all steps, each with a consumer of its own.
  if (stream === apartStream && !(isIdle && (await countBySubject(nc, stream, filter)).size > 0))
    return undefined;
  const lastSeq = isIdle ? state.lastSeq : consumer.ackFloor;
  return firstSeq <= lastSeq ? { firstSeq, lastSeq } : undefined;
}

/**
 * Watches a work queue for stuck messages and then deletes the consumer: its mailbox recreates it without a limit,
 * and every remaining message is delivered. Messages handled before are dropped as duplicates downstream, and marks
 * identify poison.
 */
export class StuckMessagesWatch {
  readonly #nc: NatsConnection;
  readonly #durable: Durable;
  readonly #log: Log;
  readonly close: () => void;
  /** The first message that looked stuck at the last look. */
  #suspect: number | undefined;
  #problem: string | undefined;

  /** Checks at once, then periodically. */
  constructor(nc: NatsConnection, durable: Durable, log: Log, everyMs = defaultEveryMs) {
    this.#nc = nc;
    this.#durable = durable;
    this.#log = log;
    this.close = lookEvery(everyMs, "stuck messages", () => this.#look(), log);
  }

  /** A sentence while messages are stuck, else undefined. */
  get problem(): string | undefined {
    return this.#problem;
  }

  async #look(): Promise<void> {
    const { stream, name } = this.#durable;
    const found = await findStuck(this.#nc, this.#durable);
    if (found === "no consumer") {
      // Its mailbox would recreate it once refused; but a server of a cluster may go on answering for a deleted
      // consumer.
      this.#log.warn({ stream, consumer: name }, "the consumer is gone, making it anew");
      await ensureDurable(this.#nc, this.#durable);
      return;
    }
    const stays = found !== undefined && this.#suspect === found.firstSeq;
    this.#suspect = found?.firstSeq;
    this.#problem = stays
      ? `${stream} holds messages from ${found.firstSeq} on that ${name} does not get`
      : undefined;
    if (!stays) return;
    const { config } = await askBroker(this.#nc, stream, (jsm) => jsm.consumers.info(stream, name));
    const details = { stream, ...found, maxDeliver: config.max_deliver };
    this.#log.warn(details, "the broker holds messages that it would never deliver, delivering them again");
    await askBroker(this.#nc, stream, (jsm) => jsm.consumers.delete(stream, name));
  }
}
