import { JetStreamApiError, type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { type NatsConnection, RequestError, TimeoutError } from "nats";
import { reasonOf } from "../service/log.ts";
import { Unavailable } from "../service/unavailable.ts";
import { hasCode, notEnabled, streamNotFound } from "./api-error.ts";

/** A stream that nobody has created yet. */
export class StreamMissing extends Unavailable {
  constructor(stream: string) {
    super(`The stream ${stream} does not exist yet: an enricher makes it at its start.`);
  }
}

/** For a look at a stream that may be missing. @throws what else went wrong */
export function undefinedIfMissing(err: unknown): undefined {
  if (!(err instanceof StreamMissing)) throw err;
}

/**
 * Asks JetStream's API about one stream.
 * @param ask makes the request, and nothing else: whatever it throws counts as the broker's
 * @throws Unavailable when nobody answers; StreamMissing; JetStreamApiError when the broker refuses
 */
export async function askBroker<T>(
  nc: NatsConnection,
  stream: string,
  ask: (jsm: JetStreamManager) => Promise<T>,
): Promise<T> {
  try {
    return await ask(await jetstreamManager(nc, { checkAPI: false }));
  } catch (cause) {
    if (hasCode(cause, streamNotFound)) throw new StreamMissing(stream);
    if (cause instanceof JetStreamApiError && !hasCode(cause, notEnabled)) throw cause;
    throw new Unavailable(`NATS JetStream is away: ${whyAway(cause)}.`, { cause });
  }
}

function whyAway(err: unknown): string {
  const isUnserved = err instanceof RequestError && err.isNoResponders();
  if (isUnserved || hasCode(err, notEnabled) || (err instanceof Error && err.name === "JetStreamNotEnabled"))
    return "nobody answers for it. Start nats-server with -js, or use an account that has it";
  if (err instanceof TimeoutError || err instanceof RequestError) return "it does not answer";
  return reasonOf(err);
}
