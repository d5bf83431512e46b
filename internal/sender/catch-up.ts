import { type RawBuilder, sql } from "kysely";
import type { NatsConnection } from "nats";
import { finalsBySequence } from "../archive/final-texts.ts";
import { consumerOf } from "../jetstream/consumer-state.ts";
import { stateOf } from "../jetstream/stream-state.ts";
import { archiverName, finalStage, senderName, stageStream } from "../messages/subjects.ts";
import type { Database } from "../postgres/connect.ts";
import type { Log } from "../service/log.ts";
import type { Destination } from "../webhooks/destination.ts";
import type { DestinationRun } from "./destination-run.ts";
import type { Feed } from "./feed.ts";

const log = stageStream(finalStage);
/** Events of one page. */
const pageSize = 500;
/** Maximum sequences of the log that one page covers. */
const widest = 5_000;

/** A destination's position after a check. */
interface Progress {
  /** Up to this sequence the destination's events are handled. */
  readonly sequence: number;
  /** Whether events that the log has dropped remain to be delivered. */
  readonly isBehind: boolean;
}

/**
 * Delivers from the archive what CASINO_EVENTS dropped before the destination received it. It goes by the events'
 * sequences in the log, so without a gap. Events with a recorded delivery are left out; an event whose delivery was not
 * recorded comes twice.
 */
export class CatchUp {
  readonly #nc: NatsConnection;
  readonly #db: Database;
  readonly #feed: Feed;
  readonly #log: Log;

  constructor(nc: NatsConnection, db: Database, feed: Feed, log: Log) {
    this.#nc = nc;
    this.#db = db;
    this.#feed = feed;
    this.#log = log;
  }

  /**
   * Checks whether the log dropped anything, and delivers a page of it.
   * @param from the position after the last check; 0 = never checked
   * @throws Unavailable, PublishError and the broker's errors: the next check repeats it
   */
  async look(run: DestinationRun, from: number, signal: AbortSignal): Promise<Progress> {
    const { destination } = run;
    // Read the consumer first. If the log has dropped nothing beyond `from` after that, the consumer's position comes
    // from its own acknowledgements, and not from the broker, which moves it along with what is dropped.
    const consumer = (await consumerOf(this.#nc, log, senderName(destination.id)))?.ackFloor;
    if (consumer === undefined) return { sequence: from, isBehind: false };
    const { firstSeq, lastSeq, firstAt, messages } = await stateOf(this.#nc, log);
    // A log created again has its own sequences, and a log that reaches back to before the destination existed has
    // dropped nothing.
    const isAnew = lastSeq < from;
    const hasAll = messages > 0 && firstAt <= destination.createdAt.getTime();
    if (isAnew || (from === 0 && hasAll)) return { sequence: consumer, isBehind: false };
    if (firstSeq <= from + 1) return { sequence: Math.max(from, consumer), isBehind: false };
    return this.#bring(run, { after: from, before: firstSeq }, signal);
  }

  async #bring(
    run: DestinationRun,
    { after, before }: { readonly after: number; readonly before: number },
    signal: AbortSignal,
  ): Promise<Progress> {
    const { destination } = run;
    const { id, client } = destination;
    if (!(await this.#feed.hasRoom(destination))) return { sequence: after, isBehind: true };
    // Archivers commit in any order; up to this sequence the archive is complete.
    const archived = (await consumerOf(this.#nc, log, archiverName))?.ackFloor ?? before;
    // The archive finds narrow ranges of sequences without an index over all of them.
    const end = Math.min(before, archived + 1, after + 1 + widest);
    const { finals: page, hasMore } = await finalsBySequence(
      this.#db,
      client,
      { after, before: end },
      isMissing(destination),
      pageSize,
      signal,
    );
    if (page.length > 0) {
      await this.#feed.put(run, page, "archive", signal);
      const [first, last] = [page[0]?.sequence, page.at(-1)?.sequence];
      this.#log.info(
        { destination: id, events: page.length, first, last },
        "delivered from the archive what the log had dropped",
      );
    }
    const sequence = hasMore ? (page.at(-1)?.sequence ?? after) : end - 1;
    return { sequence: Math.max(after, sequence), isBehind: hasMore || end < before };
  }
}

/** Condition: archived events that the destination wants and that were never tried. */
function isMissing({ id, client, types, createdAt }: Destination): RawBuilder<unknown> {
  const ofTypes = types === null ? sql`true` : sql`events.type = any(${[...types]}::text[])`;
  return sql`events.stored_at >= ${createdAt} and ${ofTypes} and not exists (
    select from deliveries
    where deliveries.client_id = ${client} and deliveries.source = events.source
      and deliveries.event_id = events.id and deliveries.destination_id = ${id})`;
}
