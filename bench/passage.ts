import { jetstreamManager } from "@nats-io/jetstream";
import { finalStage, rawSubject, stageStream } from "../internal/messages/subjects.ts";
import { BundleSizes } from "./bundles.ts";
import type { Bench, Running } from "./environment.ts";
import type { Feed } from "./feeds.ts";
import { cpuPerEvent } from "./processes.ts";
import { messagesStored } from "./streams.ts";
import { untilCount } from "./until.ts";

/** What became of a number of events on their way through the whole system. */
export interface Passage {
  /** From the first raw event to the last that was stored, folded and, with an archiver, committed. */
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
  /** Under which name the feed's CPU is listed. */
  readonly feedName: string;
}

/** Sends so many events through the services that run, and waits until the last of them has arrived everywhere. */
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
  // In the log's own numbers: every message up to there is acknowledged, which the archiver does after its commit.
  const archived = async () => (await jsm.consumers.info(log, "archiver")).ack_floor.stream_seq;

  const goal = { stored: (await stored()) + count, folded: (await folded()) + count };
  const bundles = await BundleSizes.watch(nc);
  const first = nc.subscribe(rawSubject("casino"), { max: 1 });
  await nc.flush();
  const before = processes.usage();
  const feedsBefore = processes.endedChildrenMs();
  const feeding = feed(count);
  // A feed that fails before its first event would be waited for in vain.
  feeding.catch(() => first.unsubscribe());
  // The clock starts with the first event, not with the start-up of the feed.
  for await (const _first of first) break;
  const started = performance.now();
  await feeding;
  // The stream is asked first, because an HTTP request costs the materializer as much as a hundred events.
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
