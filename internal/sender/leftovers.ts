import { jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "nats";
import { consumerNotFound, hasCode, streamNotFound } from "../jetstream/api-error.ts";
import {
  destinationOf,
  finalStage,
  retryDurable,
  retryStream,
  retrySubject,
  senderName,
  stageStream,
} from "../messages/subjects.ts";
import type { Log } from "../service/log.ts";

/** Removes what deleted destinations have left at the broker: their consumers and waiting events. */
export class Leftovers {
  readonly #nc: NatsConnection;
  readonly #log: Log;

  constructor(nc: NatsConnection, log: Log) {
    this.#nc = nc;
    this.#log = log;
  }

  /** Destinations that have a consumer of the log or waiting events. @throws the broker's errors */
  async destinations(): Promise<readonly string[]> {
    const jsm = await jetstreamManager(this.#nc, { checkAPI: false });
    const found = new Set<string>();
    const { subjects } = (await jsm.streams.info(retryStream, { subjects_filter: retrySubject("*") })).state;
    for (const subject of Object.keys(subjects ?? {})) found.add(subject.slice(retrySubject("").length));
    for await (const { name } of jsm.consumers.list(stageStream(finalStage))) {
      const destination = destinationOf(name);
      if (destination !== undefined) found.add(destination);
    }
    return [...found];
  }

  /** Harmless if another sender does the same. @throws the broker's errors */
  async remove(destination: string): Promise<void> {
    const jsm = await jetstreamManager(this.#nc, { checkAPI: false });
    const unlessMissing = (err: unknown): void => {
      if (!hasCode(err, [...consumerNotFound, ...streamNotFound])) throw err;
    };
    await jsm.consumers.delete(retryStream, retryDurable(destination)).catch(unlessMissing);
    await jsm.streams.purge(retryStream, { filter: retrySubject(destination) }).catch(unlessMissing);
    // Last, because the others are found through it.
    await jsm.consumers.delete(stageStream(finalStage), senderName(destination)).catch(unlessMissing);
    this.#log.info(
      { destination },
      "a destination was deleted: its consumers and waiting events are removed",
    );
  }
}
