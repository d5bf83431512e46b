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
/** Places of the log that one page looks through at most. */
const widest = 5_000;

/** How far a destination is after a look. */
export interface Progress {
  /** Up to here its events have left CASINO_EVENTS for it. */
  readonly sequence: number;
  /** Whether events that the log has dropped are still to be brought. */
  readonly isBehind: boolean;
}

/**
 * Brings a destination what CASINO_EVENTS has dropped before it came to it, out of the archive: by the events' places in
 * the log, so without a gap. What it has had already is left out where a delivery of it is recorded; where not, it comes twice.
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
   * Looks whether anything was dropped, and brings a page of it.
   * @param from how far the destination was at the last look; 0 = nobody has looked yet
   * @throws Unavailable, PublishError and what the broker says: then the next look does it again
   */
  async look(run: DestinationRun, from: number, signal: AbortSignal): Promise<Progress> {
    const { destination } = run;
    // The consumer first: where the log has dropped nothing beyond `from` by then, what it acknowledged is its own doing. The
    // broker moves it along with what is dropped.
    const consumer = (await consumerOf(this.#nc, log, senderName(destination.id)))?.ackFloor;
    if (consumer === undefined) return { sequence: from, isBehind: false };
    const { firstSeq, lastSeq, firstAt, messages } = await stateOf(this.#nc, log);
    // A log made anew has numbers of its own; and one that goes back to before the destination was made has dropped nothing of it.
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
    if (!(await this.#feed.hasRoom(id))) return { sequence: after, isBehind: true };
    // Archivers commit in any order: up to here all is there.
    const archived = (await consumerOf(this.#nc, log, archiverName))?.ackFloor ?? before;
    // The archive finds narrow ranges of places without an index of them all.
    const end = Math.min(before, archived + 1, after + 1 + widest);
    const page = await finalsBySequence(
      this.#db,
      client,
      { after, before: end },
      isMissing(destination),
      pageSize,
      signal,
    );
    if (page.length > 0) {
      await this.#feed.put(run, page, "archive");
      const [first, last] = [page[0]?.sequence, page.at(-1)?.sequence];
      this.#log.info(
        { destination: id, events: page.length, first, last },
        "brought forward from the archive",
      );
    }
    const isLastPage = page.length < pageSize;
    const sequence = isLastPage ? end - 1 : (page.at(-1)?.sequence ?? after);
    return { sequence: Math.max(after, sequence), isBehind: !isLastPage || end < before };
  }
}

/** Of the archive, what a destination wants and has not been tried with. */
function isMissing({ id, client, types, createdAt }: Destination): RawBuilder<unknown> {
  const ofTypes = types === null ? sql`true` : sql`events.type = any(${[...types]}::text[])`;
  return sql`events.stored_at >= ${createdAt} and ${ofTypes} and not exists (
    select from deliveries
    where deliveries.client_id = ${client} and deliveries.source = events.source
      and deliveries.event_id = events.id and deliveries.destination_id = ${id})`;
}
