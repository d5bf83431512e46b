import type { NatsConnection } from "nats";
import { StreamMissing } from "../jetstream/api.ts";
import { isWithoutJetStream } from "../jetstream/api-error.ts";
import { StreamKeeper } from "../jetstream/stream-keeper.ts";
import { stateOf } from "../jetstream/stream-state.ts";
import type { StreamLimits } from "../jetstream/topology.ts";
import { rawStage, stageStream } from "../messages/subjects.ts";
import type { Config } from "../service/config.ts";
import { type Log, withoutPassword } from "../service/log.ts";
import { Unavailable } from "../service/unavailable.ts";

interface RawStreamOptions {
  readonly nc: NatsConnection;
  readonly config: StreamLimits & Config<"NATS_URL">;
  readonly log: Log;
  /**
   * Whether somebody named this server. Streams are created only on such a server, never on one found at the default
   * address.
   */
  readonly pointedAt: boolean;
}

/**
 * Makes sure that raw events have a stream.
 * @returns who recreates it when it is deleted; undefined where others do
 * @throws Unavailable when it is missing and must not be created
 */
export async function keepRawStream(options: RawStreamOptions): Promise<StreamKeeper | undefined> {
  const { nc, config, log, pointedAt } = options;
  try {
    if (pointedAt) return await StreamKeeper.open({ nc, stages: [rawStage], limits: config, log });
    await stateOf(nc, stageStream(rawStage));
  } catch (err) {
    if (err instanceof StreamMissing)
      throw new Unavailable(
        `There is no stream ${stageStream(rawStage)} at ${withoutPassword(config.NATS_URL)}, which NATS_URL did not name: start Croupier there, or set NATS_URL to have it made.`,
        { cause: err },
      );
    // A producers' account has no JetStream: the services create the streams in theirs.
    if (!isWithoutJetStream(err)) throw err;
  }
  return undefined;
}
