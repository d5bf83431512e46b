import { jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "nats";
import type { Log } from "../log.ts";
import { consumerNotFound, hasCode } from "./api-error.ts";
import { type Durable, ensureDurable } from "./durable.ts";

const defaultEveryMs = 10_000;

/**
 * Watches a work queue for messages that it holds and its consumer will never deliver again: no lag shows them, and
 * they fill the queue. There are three ways to get there:
 *
 * - A nats-server 2.9 that was killed remembers the acknowledgements, but not that it removed the messages.
 * - A consumer of a cluster of such servers whose leader has moved counts nothing as pending that came meanwhile.
 * - Somebody limited the consumer's `max_deliver`, and nobody heard that the broker gave up.
 *
 * The consumer is deleted, so that its mailbox makes it anew, without a limit, and every message left is delivered. Those
 * that were handled before are dropped as duplicates downstream, and poison is known by its marks.
 */
export class StrandedWatch {
  readonly #nc: NatsConnection;
  readonly #durable: Durable;
  readonly #log: Log;
  readonly #timer: NodeJS.Timeout;
  /** The first message that looked stranded at the last look. */
  #suspect: number | undefined;
  #problem: string | undefined;

  /** Looks at once, and then again and again. */
  constructor(nc: NatsConnection, durable: Durable, log: Log, everyMs = defaultEveryMs) {
    this.#nc = nc;
    this.#durable = durable;
    this.#log = log;
    this.#timer = setInterval(() => this.#look(), everyMs).unref();
    this.#look();
  }

  /** A sentence while messages are stranded, else undefined. */
  get problem(): string | undefined {
    return this.#problem;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    this.#check().catch((err: unknown) => this.#log.debug({ err }, "cannot look for stranded messages now"));
  }

  async #check(): Promise<void> {
    const { stream, name } = this.#durable;
    const jsm = await jetstreamManager(this.#nc, { checkAPI: false });
    const [{ state }, consumer] = await Promise.all([
      jsm.streams.info(stream),
      jsm.consumers.info(stream, name).catch((err: unknown) => {
        if (!hasCode(err, consumerNotFound)) throw err;
      }),
    ]);
    if (consumer === undefined) {
      // Whoever pulls is told and makes it anew; but a server of a cluster may go on answering for one that is gone.
      this.#log.warn({ stream, consumer: name }, "the consumer is gone, making it anew");
      await ensureDurable(this.#nc, this.#durable);
      return;
    }
    const { first_seq: firstSeq, messages } = state;
    const ackFloor = consumer.ack_floor.stream_seq;
    const hasNothingToDo = consumer.num_pending === 0 && consumer.num_ack_pending === 0;
    const isStranded = messages > 0 && (firstSeq <= ackFloor || hasNothingToDo);
    // The two answers are not of the same instant: only what stays is stranded.
    const stays = isStranded && this.#suspect === firstSeq;
    this.#suspect = isStranded ? firstSeq : undefined;
    this.#problem = stays
      ? `${stream} holds messages from ${firstSeq} on that ${name} does not get`
      : undefined;
    if (!stays) return;
    const details = { stream, firstSeq, ackFloor, maxDeliver: consumer.config.max_deliver };
    this.#log.warn(details, "the broker holds messages that it would never deliver, delivering them again");
    await jsm.consumers.delete(stream, name);
  }
}
