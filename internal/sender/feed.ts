import type { NatsConnection } from "nats";
import { LetterWriter } from "../actor/letter-writer.ts";
import type { FinalText } from "../archive/final-texts.ts";
import { consumerOf } from "../jetstream/consumer-state.ts";
import { PublishError } from "../jetstream/pub-ack.ts";
import type { Publisher } from "../jetstream/publisher.ts";
import { readStored } from "../jetstream/stored-message.ts";
import { ReceivedHeaders } from "../jetstream/wire-headers.ts";
import { keyText } from "../messages/event-key.ts";
import { identityHeaders, retryMessage } from "../messages/retry.ts";
import {
  finalStage,
  retryDurable,
  retryStream,
  senderName,
  stageStream,
  stageSubject,
} from "../messages/subjects.ts";
import type { Destination } from "../webhooks/destination.ts";
import type { DestinationRun } from "./destination-run.ts";
import type { RetryShares } from "./retry-shares.ts";

/** Archived events are added only while fewer than this wait for a destination. */
const mostWaiting = 5_000;

/** Publishes archived events to CASINO_RETRY, from where they reach their destination like retries. */
export class Feed {
  readonly #nc: NatsConnection;
  readonly #publisher: Publisher;
  readonly #letters: LetterWriter;
  readonly #shares: RetryShares;

  constructor(nc: NatsConnection, publisher: Publisher, shares: RetryShares) {
    this.#nc = nc;
    this.#publisher = publisher;
    this.#letters = new LetterWriter(nc, publisher);
    this.#shares = shares;
  }

  /** Whether a destination has room for more waiting events. */
  async hasRoom({ id, client }: Destination): Promise<boolean> {
    if (this.#shares.isOver(client)) return false;
    const retries = await consumerOf(this.#nc, retryStream, retryDurable(id));
    return retries !== undefined && retries.pending + retries.unacknowledged < mostWaiting;
  }

  /**
   * Resolves once CASINO_RETRY has stored all of them, or CASINO_DEAD those that do not fit. A repeated call within minutes stores nothing twice.
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
    const subject = stageSubject(finalStage, client, type);
    const message = retryMessage({
      destination: run.destination.id,
      key,
      subject,
      payload: text,
      sequence,
      attempts: 0,
      due,
      origin,
      error: undefined,
      identity: {},
    });
    try {
      const { duplicate, seq } = await this.#publisher.publish(message, signal);
      // If it was stored before and has been delivered since, nobody has to wait for it.
      if (isNew && duplicate && (await readStored(this.#nc, retryStream, seq)) === undefined)
        order.isDone(final.playerId, name);
    } catch (err) {
      if (!(err instanceof PublishError && err.isTooLarge)) throw err;
      await this.#putAside(run.destination.id, final, subject, err);
      if (isNew) order.isDone(final.playerId, name);
    }
  }

  /** The page with it would fail again and again, and nothing would follow it. */
  async #putAside(destination: string, final: FinalText, subject: string, why: PublishError): Promise<void> {
    const { client, source, id, text, sequence, storedAt } = final;
    const message = {
      stream: stageStream(finalStage),
      // Events that were archived without it differ in their ids.
      streamSequence: sequence ?? id,
      storedAt,
      deliveries: 0,
      subject,
      headers: ReceivedHeaders.from(identityHeaders(source, {})),
      data: Buffer.from(text),
    };
    const because = `It does not fit into ${retryStream}: ${why.message}`;
    await this.#letters.write(message, {
      step: senderName(destination),
      client,
      reason: "too_large",
      because,
    });
  }
}
