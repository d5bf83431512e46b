import type { NatsConnection } from "nats";
import { layout } from "../enrichment/pipeline.ts";
import { stateOf } from "../jetstream/stream-state.ts";
import { apartStream, finalStage, stageStream } from "../messages/subjects.ts";

/** A stream that still holds earlier events with the person's data. */
export interface Remains {
  readonly stream: string;
  /** All its messages, of all players. */
  readonly messages: number;
  /**
   * Until when it holds its present messages, as an ISO date-time. Null: until the steps have handled them, and then as
   * long as the log keeps them; for the log, when it has no limit of time.
   */
  readonly until: string | null;
}

/** The queues behind the look-up that are not empty, and the log. @throws Unavailable */
export async function remaining(nc: NatsConnection): Promise<readonly Remains[]> {
  const stages = layout.map(({ takesFrom }) => takesFrom);
  const named = stages.slice(layout.findIndex(({ name }) => name === "player") + 1);
  const queues = [...named.map(stageStream), apartStream];
  const log = stageStream(finalStage);
  const found = await Promise.all([...queues, log].map((stream) => remainsOf(nc, stream)));
  return found
    .map((it) => (it.stream === log ? it : { ...it, until: null }))
    .filter(({ messages }) => messages > 0);
}

async function remainsOf(nc: NatsConnection, stream: string): Promise<Remains> {
  const { maxAgeMs, messages } = await stateOf(nc, stream);
  return { stream, messages, until: maxAgeMs > 0 ? new Date(Date.now() + maxAgeMs).toISOString() : null };
}
