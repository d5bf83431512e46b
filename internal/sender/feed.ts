import type { NatsConnection } from "nats";
import type { FinalText } from "../archive/final-texts.ts";
import { consumerOf } from "../jetstream/consumer-state.ts";
import type { Publisher } from "../jetstream/publisher.ts";
import { keyText } from "../messages/event-key.ts";
import { retryMessage } from "../messages/retry.ts";
import { finalStage, retryDurable, retryStream, stageSubject } from "../messages/subjects.ts";
import type { DestinationRun } from "./destination-run.ts";

/** So much may wait for a destination before more of the archive is put there. */
const mostWaiting = 5_000;

/** Puts events of the archive into CASINO_RETRY, from where they go to their destination like all that waits there. */
export class Feed {
  readonly #nc: NatsConnection;
  readonly #publisher: Publisher;

  constructor(nc: NatsConnection, publisher: Publisher) {
    this.#nc = nc;
    this.#publisher = publisher;
  }

  /** Whether little enough waits for a destination already. */
  async hasRoom(destination: string): Promise<boolean> {
    const retries = await consumerOf(this.#nc, retryStream, retryDurable(destination));
    return retries !== undefined && retries.pending + retries.unacknowledged < mostWaiting;
  }

  /**
   * Resolves once CASINO_RETRY has all of them; again it stores nothing twice within minutes.
   * @param origin what they are brought for
   * @throws PublishError when one of them could not be stored: then all are to be put again
   */
  async put(run: DestinationRun, finals: readonly FinalText[], origin: string): Promise<void> {
    await Promise.all(finals.map((final) => this.#put(run, final, origin)));
  }

  async #put(run: DestinationRun, final: FinalText, origin: string): Promise<void> {
    const { client, source, id, type, text, sequence } = final;
    const key = { client, source, id };
    const due = Date.now();
    // Before it can come.
    const { order } = run;
    const name = `${keyText(key)}:${origin}`;
    const isNew = final.playerId !== undefined && order?.knows(final.playerId, name) === false;
    if (isNew) order.waits(final.playerId, name, sequence, due);
    const { duplicate } = await this.#publisher.publish(
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
    );
    // It lay there before, and may have been delivered since: nobody has to wait for it.
    if (duplicate && isNew) order.isDone(final.playerId, name);
  }
}
