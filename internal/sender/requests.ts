import { finalOf, finalsByStoring, type StoringPosition } from "../archive/final-texts.ts";
import type { Database } from "../postgres/connect.ts";
import { isObject } from "../service/json.ts";
import type { Log } from "../service/log.ts";
import {
  type DeliveryRequest,
  finishRequest,
  noteProgress,
  replayedEvents,
} from "../webhooks/delivery-requests.ts";
import type { DestinationRun } from "./destination-run.ts";
import type { Feed } from "./feed.ts";

/** Events of one page. */
const pageSize = 500;

/** Executes requests for a destination: sends one event again, or those of a time range. */
export class Requests {
  readonly #db: Database;
  readonly #feed: Feed;
  readonly #log: Log;

  constructor(db: Database, feed: Feed, log: Log) {
    this.#db = db;
    this.#feed = feed;
    this.#log = log;
  }

  /**
   * Executes at most one page of a request.
   * @returns whether another page can follow at once
   * @throws Unavailable, PublishError: then call it again for the same page
   */
  async work(run: DestinationRun, request: DeliveryRequest, signal: AbortSignal): Promise<boolean> {
    if (!(await this.#feed.hasRoom(run.destination))) return false;
    if (request.kind === "resend") {
      await this.#resend(run, request, signal);
      return false;
    }
    const { id, sent } = request;
    const { finals: page, hasMore } = await finalsByStoring(
      this.#db,
      replayedEvents(run.destination, request),
      readPosition(request.position),
      pageSize,
      signal,
    );
    await this.#feed.put(run, page, `request-${id}`, signal);
    const last = page.at(-1);
    const total = sent + page.length;
    if (last !== undefined) {
      const { storedAt, source, id: event } = last;
      await noteProgress(this.#db, id, { position: { storedAt, source, id: event }, sent: total }, signal);
    }
    if (hasMore) return true;
    await finishRequest(this.#db, id, null, signal);
    this.#log.info(
      { destination: run.destination.id, request: id, events: total },
      "replayed from the archive",
    );
    return false;
  }

  async #resend(
    run: DestinationRun,
    { id, client, source, eventId }: DeliveryRequest & { readonly kind: "resend" },
    signal: AbortSignal,
  ): Promise<void> {
    const final = await finalOf(this.#db, { client, source, id: eventId }, signal);
    if (final === undefined)
      return finishRequest(
        this.#db,
        id,
        "The archive does not have this event, or no longer has it.",
        signal,
      );
    await this.#feed.put(run, [final], `request-${id}`, signal);
    await noteProgress(this.#db, id, { position: null, sent: 1 }, signal);
    await finishRequest(this.#db, id, null, signal);
  }
}

/** As `work` has written it. */
function readPosition(position: unknown): StoringPosition | undefined {
  if (!isObject(position)) return undefined;
  const { storedAt, source, id } = position;
  return typeof storedAt === "number" && typeof source === "string" && typeof id === "number"
    ? { storedAt, source, id }
    : undefined;
}
