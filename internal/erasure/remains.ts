import type { NatsConnection } from "nats";
import { layout } from "../enrichment/pipeline.ts";
import { askBroker, isObject } from "../jetstream/api.ts";
import { apartStream, finalStage, stageStream } from "../messages/subjects.ts";

/** A stream in which events of before the erasure still name the person. */
export interface Remains {
  readonly stream: string;
  /** All of them, whoever's they are. */
  readonly messages: number;
  /**
   * Until when, as an ISO date-time, what it holds now. Null: until the steps have had it, and for the time of the log from then on; of
   * the log, where that has no limit of time.
   */
  readonly until: string | null;
}

/** What the steps behind the look-up have not had yet, and the log; without the queues that are empty. @throws Unavailable */
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
  const { config, state } = await askBroker(nc, `STREAM.INFO.${stream}`);
  const maxAgeMs = isObject(config) ? Number(config.max_age) / 1e6 : 0;
  const messages = isObject(state) ? Number(state.messages) : 0;
  return { stream, messages, until: maxAgeMs > 0 ? new Date(Date.now() + maxAgeMs).toISOString() : null };
}
