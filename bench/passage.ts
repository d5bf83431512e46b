import { jetstreamManager } from "@nats-io/jetstream";
import { finalStage, rawSubject, stageStream } from "../internal/messages/subjects.ts";
import { BundleSizes } from "./bundles.ts";
import type { Bench, Running } from "./environment.ts";
import type { Feed } from "./feeds.ts";
import { cpuPerEvent } from "./processes.ts";
import { messagesStored } from "./streams.ts";
import { untilCount } from "./until.ts";

/** The result of sending a number of events through the whole system. */
export interface Passage {
  /** From the first raw event until the last one is stored, folded and, with an archiver, committed. */
  readonly seconds: number;
  /** µs per event, by process. */
  readonly cpu: ReadonlyMap<string, number>;
  /** Events per message, by stage. */
  readonly bundles: ReadonlyMap<string, number>;
}

export interface PassageOptions {
  readonly materializer: Running;
  readonly archiver: boolean;
  readonly feed: Feed;
  /** The name under which the feed's CPU is listed. */
  readonly feedName: string;
}

/** Sends `count` events through the running services, and waits until the last one has arrived everywhere. */
export async function pass(bench: Bench, count: number, options: PassageOptions): Promise<Passage> {
  const { nc, processes, signal } = bench;
  const { materializer, archiver, feed, feedName } = options;
  const log = stageStream(finalStage);
  const jsm = await jetstreamManager(nc);
  const stored = () => messagesStored(nc, log);
  const folded = async () => {
    const answer = await fetch(`${materializer.url}/materialized`, { signal });
    const { events_total } = (await answer.json()) as { events_total: number }; // our own answer
    return events_total;
  };
  // The archiver acknowledges after its commit, so every message up to its ack floor is committed.
  const archived = async () => (await jsm.consumers.info(log, "archiver")).ack_floor.stream_seq;

  const goal = { stored: (await stored()) + count, folded: (await folded()) + count };
  const bundles = await BundleSizes.watch(nc);
  const first = nc.subscribe(rawSubject("casino"), { max: 1 });
  await nc.flush();
  const before = processes.usage();
  const feedsBefore = processes.endedChildrenMs();
  const feeding = feed(count);
  // If the feed fails before its first event, do not wait for that event.
  feeding.catch(() => first.unsubscribe());
  // The clock starts with the first event, not with the start-up of the feed.
  for await (const _first of first) break;
  const started = performance.now();
  await feeding;
  // Ask the stream first, because an HTTP request costs the materializer as much as a hundred events.
  await untilCount(stored, goal.stored, "events to be stored", { signal });
  await untilCount(folded, goal.folded, "events to be folded", { signal });
  if (archiver) await untilCount(archived, goal.stored, "events to be archived", { signal });
  const seconds = (performance.now() - started) / 1000;
  const feedMs = processes.endedChildrenMs() - feedsBefore;
  const cpu = new Map([
    ...cpuPerEvent(before, processes.usage(), count),
    [feedName, (feedMs * 1000) / count] as const,
  ]);
  return { seconds, cpu, bundles: await bundles.means(count) };
}
