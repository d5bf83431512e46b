import { jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "nats";
import { hasCode, isWithoutJetStream, streamNotFound } from "../jetstream/api-error.ts";
import { StreamKeeper } from "../jetstream/stream-keeper.ts";
import type { StreamLimits } from "../jetstream/topology.ts";
import { rawStage, stageStream } from "../messages/subjects.ts";
import type { Config } from "../service/config.ts";
import { type Log, withoutPassword } from "../service/log.ts";
import { Unavailable } from "../service/unavailable.ts";

export interface RawStreamOptions {
  readonly nc: NatsConnection;
  readonly config: StreamLimits & Config<"NATS_URL">;
  readonly log: Log;
  /**
   * Whether somebody said which server this is. Streams are made on such a one only; on one that is merely where a NATS
   * usually is they are looked for.
   */
  readonly pointedAt: boolean;
}

/**
 * Sees to it that raw events have a stream.
 * @returns who makes it again when it is deleted; undefined where that is for others to do
 * @throws Unavailable where there is none, and none is to be made
 */
export async function keepRawStream(options: RawStreamOptions): Promise<StreamKeeper | undefined> {
  const { nc, config, log, pointedAt } = options;
  try {
    if (pointedAt) return await StreamKeeper.open({ nc, stages: [rawStage], limits: config, log });
    await (await jetstreamManager(nc, { checkAPI: false })).streams.info(stageStream(rawStage));
  } catch (err) {
    if (hasCode(err, streamNotFound))
      throw new Unavailable(
        `There is no stream ${stageStream(rawStage)} at ${withoutPassword(config.NATS_URL)}, which NATS_URL did not name: start Croupier there, or set NATS_URL to have it made.`,
        { cause: err },
      );
    // A producers' account has no JetStream: the services make the streams in theirs.
    const isWithout = err instanceof Error && (err.name === "JetStreamNotEnabled" || isWithoutJetStream(err));
    if (!isWithout) throw err;
  }
  return undefined;
}
