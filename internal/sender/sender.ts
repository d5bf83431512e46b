import type { Database } from "../postgres/connect.ts";
import { reasonOf } from "../service/log.ts";
import { recordDeliveries } from "../webhooks/deliveries.ts";
import { openRequests } from "../webhooks/delivery-requests.ts";
import type { Destination } from "../webhooks/destination.ts";
import type { AllDestinations, Destinations } from "../webhooks/destinations.ts";
import { ByteBudget } from "./byte-budget.ts";
import { CallLimit } from "./call-limit.ts";
import { CatchUp } from "./catch-up.ts";
import { DestinationHealth, warningOf } from "./destination-health.ts";
import type { SenderContext } from "./destination-run.ts";
import { Feed } from "./feed.ts";
import { destinationsAtBroker, removeLeftovers } from "./leftovers.ts";
import { freeOrphans } from "./orphans.ts";
import { keptForMs, Places } from "./places.ts";
import { repeat } from "./repeat.ts";
import { Requests } from "./requests.ts";
import { RetryShares } from "./retry-shares.ts";
import { RunSet } from "./run-set.ts";

/** How often it asks Postgres for changes of the destinations. */
const followEveryMs = 1_000;
/** How long that may take: while it hangs, others take over what this process has claimed and no longer renews. */
const followWithinMs = 2_000;
/** How often it looks for claims that count no more: well below the time by which they count longer in Postgres. */
const giveUpEveryMs = 500;
/** How often it checks whether a destination has missed something. */
const lookEveryMs = 2_000;
const sweepEveryMs = 60_000;
/** Requests of one destination that are read at once, and for how long it works on them before the next one's turn. */
const mostRequests = 100;
const requestsTurnMs = 200;
/** Calls in flight in one process, of all destinations and of one client's. */
const mostCalls = 512;
const mostCallsOfClient = 128;
/** A claim counts for a little less time here than in Postgres. */
const reliedOnMs = keptForMs - 1_500;

export interface SenderOptions extends Omit<SenderContext, "record" | "calls" | "bytes" | "shares"> {
  readonly db: Database;
  readonly destinations: Destinations;
  /** A destination is disabled once all attempts have failed for this long, in ms. */
  readonly disableAfterMs: number;
  /** The unique name of this process. */
  readonly instance: string;
  /** Bounds what all destinations have in hand; default: 64 MiB. */
  readonly bytes?: ByteBudget;
  /** For tests: how often it checks for changes and for missed events. */
  readonly everyMs?: number;
}

/**
 * Delivers final events to clients' destinations: one run for each enabled destination, following changes within some
 * two seconds. Any number of senders share the work. Each destination has one owner among them, which delivers what it
 * missed from the archive, executes requests, and alone calls a destination that is ordered or has a rate limit.
 */
export class Sender {
  readonly #options: SenderOptions;
  readonly #places: Places;
  readonly #shares: RetryShares;
  readonly #catchUp: CatchUp;
  readonly #requests: Requests;
  readonly #health: DestinationHealth;
  readonly #runs: RunSet;
  readonly #stopping = new AbortController();
  /** Destinations that this process owns: each one's position, and until when by this process's clock. */
  readonly #kept = new Map<string, { sequence: number; until: number }>();
  #destinations: ReadonlyMap<string, Destination> = new Map();
  #unreadable: ReadonlySet<string> = new Set();
  #problem: string | undefined = "the destinations are not loaded yet";
  #loops: Promise<unknown> = Promise.resolve();

  private constructor(options: SenderOptions) {
    const { nc, db, publisher, log, meter, instance, bytes = new ByteBudget() } = options;
    this.#options = options;
    this.#places = new Places(db, instance);
    this.#shares = new RetryShares(nc, log);
    const feed = new Feed(nc, publisher, this.#shares);
    this.#catchUp = new CatchUp(nc, db, feed, log);
    this.#requests = new Requests(db, feed, log);
    this.#health = new DestinationHealth(options);
    this.#runs = new RunSet({
      ...options,
      bytes,
      shares: this.#shares,
      record: (records) => recordDeliveries(db, records),
      calls: new CallLimit(mostCalls, mostCallsOfClient),
      onGone: (destination) =>
        void this.#health.disable(destination, "Its receiver answered 410: it wants no more calls."),
      onEnded: (destination) => this.#onEnded(destination),
    });
    meter?.opened(() => this.#runs.all.reduce((sum, run) => sum + run.inHand, 0));
  }

  /** Starts to deliver, and waits for servers that are away. */
  static start(options: SenderOptions): Sender {
    const sender = new Sender(options);
    const { everyMs, log } = options;
    const again = (what: string, gapMs: number, work: () => Promise<unknown>) =>
      repeat({ what, gapMs: everyMs ?? gapMs, work, log, signal: sender.#stopping.signal });
    sender.#loops = Promise.all([
      again("reading the destinations", followEveryMs, () => sender.#follow()),
      again("giving up claims", giveUpEveryMs, async () => sender.#adjust()),
      again("looking for missed events", lookEveryMs, () => sender.#lookAfterAll()),
      again("sharing CASINO_RETRY", lookEveryMs, () => sender.#shares.look(sender.destinations)),
      again("removing what deleted destinations left", sweepEveryMs, () => sender.#sweep()),
    ]);
    return sender;
  }

  /** Why deliveries wait although no receiver is the cause; otherwise undefined. For readiness. */
  get problem(): string | undefined {
    return this.#problem ?? this.#runs.problem;
  }

  /** All destinations as Postgres had them within the last seconds, including disabled ones. */
  get destinations(): readonly Destination[] {
    return [...this.#destinations.values()];
  }

  /** Warnings about destinations that cannot be read, fail, or were disabled for it, and about clients with too many retries. */
  get warnings(): readonly string[] {
    const failing = this.destinations.flatMap((one) => warningOf(one) ?? []);
    return [...this.#unreadable, ...this.#shares.warnings, ...failing];
  }

  /** Settles calls in flight or hands their events back, and releases its claims. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error("the sender is stopping"));
    await this.#runs.stop();
    await this.#loops;
    await this.#places.leave().catch(() => undefined); // then the claims expire in a few seconds
  }

  async #follow(): Promise<void> {
    const bound = () => AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(followWithinMs)]);
    try {
      await this.#read(bound()).finally(() => this.#adjust());
      await this.#health.note(this.#runs.all, bound());
      this.#problem = undefined;
    } catch (err) {
      this.#problem = reasonOf(err);
      throw err;
    }
  }

  async #read(signal: AbortSignal): Promise<void> {
    const all = await this.#options.destinations.all(signal);
    this.#warnOf(all);
    this.#destinations = new Map(all.destinations.map((destination) => [destination.id, destination]));
    await this.#keep(signal);
  }

  #warnOf({ unreadable }: AllDestinations): void {
    const said = unreadable.map(({ id, because }) => `destination ${id}: ${because}`);
    for (const text of said) if (!this.#unreadable.has(text)) this.#options.log.error(text);
    this.#unreadable = new Set(said);
  }

  async #keep(signal: AbortSignal): Promise<void> {
    const began = performance.now();
    const soon = began + reliedOnMs / 2;
    const due = [...this.#destinations.keys()].filter((id) => (this.#kept.get(id)?.until ?? 0) < soon);
    const kept = await this.#places.keep(due, signal);
    for (const { destination, sequence } of kept) {
      const known = this.#kept.get(destination);
      const until = began + reliedOnMs;
      // The same object, because a check in progress writes its position there. If another process owned it meanwhile, that
      // process's record is the right one.
      if (known !== undefined && known.until > began) known.until = until;
      else this.#kept.set(destination, { sequence, until });
    }
  }

  #isKept(id: string): boolean {
    return (this.#kept.get(id)?.until ?? 0) > performance.now();
  }

  #adjust(): void {
    const enabled = this.destinations.filter((destination) => destination.enabled);
    const isOthers = Map.groupBy(enabled, (one) => isExclusive(one) && !this.#isKept(one.id));
    this.#runs.adjust(isOthers.get(false) ?? [], isOthers.get(true) ?? []);
  }

  /** Removes what a deleted destination has left at the broker. */
  async #onEnded({ id }: Destination): Promise<void> {
    const { nc, log } = this.#options;
    if (!this.#destinations.has(id) && !this.#isUnreadable(id)) await removeLeftovers(nc, id, log);
  }

  #isUnreadable(id: string): boolean {
    return [...this.#unreadable].some((text) => text.startsWith(`destination ${id}:`));
  }

  /**
   * Serves its own destinations one after the other; one that is behind, or has many requests, gets a turn at a time.
   * @returns whether another turn can follow at once
   */
  async #lookAfterAll(): Promise<boolean> {
    const { signal } = this.#stopping;
    const own = this.#runs.all.filter(({ destination }) => this.#isKept(destination.id));
    if (own.length === 0) return false;
    const ids = own.map(({ destination }) => destination.id);
    const requests = Map.groupBy(
      await openRequests(this.#options.db, ids, mostRequests, signal),
      ({ destination }) => destination,
    );
    let hasMore = false;
    let failure: unknown;
    for (const run of own) {
      const { id } = run.destination;
      const kept = this.#kept.get(id);
      if (kept === undefined || !this.#isKept(id) || signal.aborted) continue;
      try {
        const { sequence, isBehind } = await this.#catchUp.look(run, kept.sequence, signal);
        if (sequence !== kept.sequence) {
          hasMore ||= isBehind;
          await this.#places.note(id, sequence, signal);
          kept.sequence = sequence;
        }
        run.hold(isBehind && run.destination.ordered);
        const until = performance.now() + requestsTurnMs;
        for (const request of requests.get(id) ?? []) {
          hasMore = (await this.#requests.work(run, request, signal)) || hasMore;
          if (performance.now() >= until) break;
        }
      } catch (err) {
        // The others must not wait for it.
        failure ??= err;
      }
    }
    if (failure !== undefined) throw failure;
    return hasMore;
  }

  async #sweep(): Promise<void> {
    const { nc, log, destinations } = this.#options;
    const atBroker = await destinationsAtBroker(nc);
    const all = await destinations.all(this.#stopping.signal);
    const existing = new Set([...all.destinations, ...all.unreadable].map(({ id }) => id));
    for (const id of atBroker.difference(existing)) await removeLeftovers(nc, id, log);
    for (const id of this.#destinations.keys()) if (this.#isKept(id)) await freeOrphans(nc, id, log);
  }
}

/** Whether only one sender may call it: several could keep no order and no rate limit. */
function isExclusive({ ordered, rateLimit }: Destination): boolean {
  return ordered || rateLimit !== null;
}
