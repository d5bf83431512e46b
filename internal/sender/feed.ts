import type { NatsConnection } from "nats";
import type { FinalText } from "../archive/final-texts.ts";
import { consumerOf } from "../jetstream/consumer-state.ts";
import type { Publisher } from "../jetstream/publisher.ts";
import { readStored } from "../jetstream/stored-message.ts";
import { keyText } from "../messages/event-key.ts";
import { retryMessage } from "../messages/retry.ts";
import { finalStage, retryDurable, retryStream, stageSubject } from "../messages/subjects.ts";
import type { Destination } from "../webhooks/destination.ts";
import type { DestinationRun } from "./destination-run.ts";
import type { RetryShares } from "./retry-shares.ts";

/** Archived events are added only while fewer than this wait for a destination. */
const mostWaiting = 5_000;

/** Publishes archived events to CASINO_RETRY, from where they reach their destination like retries. */
export class Feed {
  readonly #nc: NatsConnection;
  readonly #publisher: Publisher;
  readonly #shares: RetryShares;

  constructor(nc: NatsConnection, publisher: Publisher, shares: RetryShares) {
    this.#nc = nc;
    this.#publisher = publisher;
    this.#shares = shares;
  }

  /** Whether a destination has room for more waiting events. */
  async hasRoom({ id, client }: Destination): Promise<boolean> {
    if (this.#shares.isOver(client)) return false;
    const retries = await consumerOf(this.#nc, retryStream, retryDurable(id));
    return retries !== undefined && retries.pending + retries.unacknowledged < mostWaiting;
  }

  /**
   * Resolves once CASINO_RETRY has stored all of them. A repeated call within minutes stores nothing twice.
   * @param origin why they are sent
   * @throws PublishError if one of them could not be stored, the signal's reason: then put all of them again
   */
  async put(
    run: DestinationRun,
    finals: readonly FinalText[],
    origin: string,
    signal: AbortSignal,
  ): Promise<void> {
    await Promise.all(finals.map((final) => this.#put(run, final, origin, signal)));
  }

  async #put(run: DestinationRun, final: FinalText, origin: string, signal: AbortSignal): Promise<void> {
    const { client, source, id, type, text, sequence } = final;
    const key = { client, source, id };
    const due = Date.now();
    // Before it can be delivered.
    const { order } = run;
    const name = `${keyText(key)}:${origin}`;
    const isNew = final.playerId !== undefined && order?.knows(final.playerId, name) === false;
    if (isNew) order.waits(final.playerId, name, sequence, due);
    const { duplicate, seq } = await this.#publisher.publish(
      retryMessage({
        destination: run.destination.id,
        key,
        subject: stageSubject(finalStage, client, type),
        payload: text,
        sequence,
        attempts: 0,
        due,
        origin,
        error: undefined,
        identity: {},
      }),
      signal,
    );
    if (!duplicate || !isNew) return;
    // It was stored before. If it has been delivered since, nobody has to wait for it.
    if ((await readStored(this.#nc, retryStream, seq)) === undefined) order.isDone(final.playerId, name);
  }
}
