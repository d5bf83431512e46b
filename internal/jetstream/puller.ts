import { type Msg, type NatsConnection, nanos, type Subscription } from "nats";
import { Delivery } from "./delivery.ts";
import { privateInbox } from "./inbox.ts";
import { WireWriter } from "./wire-writer.ts";

/**
 * How long one pull request waits at the server. Short, because a stop waits for its end: a request cannot be
 * cancelled, and nats-server 2.9 goes on delivering for two seconds after its subscription is gone.
 */
const expiresMs = 1_000;
/** A request without any answer this long after it expired is lost (server restarted, leader moved). */
const lostAfterMs = expiresMs + 2_000;
/**
 * Most bytes per request, far above the largest message. All requests on one connection must stay below what the
 * server buffers for a client (64 MiB), or it cuts the client off as a slow consumer.
 */
const maxRequestBytes = 4 * 1024 * 1024;
/**
 * Pause after the server refused a request (consumer missing, leader moving, too many waiting), doubled with each
 * refusal up to the longest. Short enough that events flow soon after a new leader: a refusal costs next to nothing.
 */
const refusedPauseMs = 500;
const longestPauseMs = 2_000;
/** How long messages gather for a reader that nobody waits for. Longer saves little more and makes bursts. */
const gatherMs = 10;

export interface PullerOptions {
  readonly stream: string;
  readonly consumer: string;
  readonly batch: number;
  /** Most bytes per request, above the largest message. Default: 4 MiB. */
  readonly requestBytes?: number | undefined;
  /** How many more messages the holder has room for right now; asked before each request. */
  readonly room: () => number;
  readonly onDelivery: (delivery: Delivery) => void;
  /** Nobody waits for this reader: while messages come, it asks for them every 10 ms instead of being woken by each. */
  readonly gathers?: boolean | undefined;
  /**
   * The server refused, or did not answer (code 0): the consumer is missing or moving. Called at most twice per
   * pause; may recreate the consumer.
   */
  readonly onRefused?: (code: number, description: string) => void;
  /** A request ended normally: the consumer exists and delivers. */
  readonly onServed?: () => void;
}

/**
 * Pulls from a durable consumer, never more messages than its holder has room for.
 *
 * Two lanes, each with a subscription and at most one outstanding request: while one is being filled the next
 * travels. One that gathers needs no second lane. The library's `consume()` keeps pulling into a buffer, out of reach
 * of `working()` and of a hand-back at shutdown.
 */
export class Puller {
  readonly #lanes: readonly Lane[];

  constructor(nc: NatsConnection, options: PullerOptions) {
    const lanes: Lane[] = [];
    const pause = new Pause();
    const room = () => lanes.reduce((left, lane) => left - lane.due, options.room());
    for (let lane = 0; lane < (options.gathers ? 1 : 2); lane++)
      lanes.push(new Lane(nc, { ...options, room }, pause));
    this.#lanes = lanes;
    this.wake();
  }

  /** Says that the holder has room again. Cheap; call it after settling. */
  wake(): void {
    for (const lane of this.#lanes) lane.wake();
  }

  /** Stops requesting. Resolves when the last request has ended, within a second, and all its messages are passed on. */
  async drain(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.drain()));
  }
}

/** The pause after a refusal. A refusal concerns the consumer, so both lanes share it. */
class Pause {
  #until = 0;
  #nextMs = refusedPauseMs;

  get isOver(): boolean {
    return performance.now() >= this.#until;
  }

  /** The consumer delivers: the next refusal counts as the first. */
  reset(): void {
    this.#nextMs = refusedPauseMs;
  }

  begin(): void {
    this.#until = performance.now() + this.#nextMs;
    this.#nextMs = Math.min(this.#nextMs * 2, longestPauseMs);
  }
}

class Lane {
  /** Messages the outstanding request may still bring; 0 = no request outstanding. */
  due = 0;
  readonly #nc: NatsConnection;
  readonly #wire: WireWriter;
  readonly #options: PullerOptions;
  readonly #inbox: string;
  readonly #subject: string;
  readonly #subscription: Subscription;
  readonly #timer: NodeJS.Timeout;
  #request = 0;
  #sentAt = 0;
  /** How many messages the last request has brought. */
  #brought = 0;
  #isGathering = false;
  /** The server has ended the request; what is still due is on its way. */
  #hasEnded = false;
  #connected = true;
  readonly #pause: Pause;
  #stopped = false;
  #isDrained = false;
  #wakeDrain: (() => void) | undefined;

  constructor(nc: NatsConnection, options: PullerOptions, pause: Pause) {
    this.#nc = nc;
    this.#pause = pause;
    this.#wire = WireWriter.of(nc);
    this.#options = options;
    this.#inbox = privateInbox(nc);
    this.#subject = `$JS.API.CONSUMER.MSG.NEXT.${options.stream}.${options.consumer}`;
    this.#subscription = nc.subscribe(`${this.#inbox}.*`, { callback: (_err, msg) => this.#onMessage(msg) });
    this.#timer = setInterval(() => this.#tick(), refusedPauseMs).unref();
    void this.#followConnection();
  }

  wake(): void {
    if (this.due === 0) this.#wakeDrain?.();
    if (this.#stopped || this.#nc.isClosed() || this.due > 0 || !this.#pause.isOver) return;
    const batch = Math.min(this.#options.batch, this.#options.room());
    // A few at a time would make almost every message a request of its own: wait until a good part is free.
    if (this.#isGathering || batch < this.#options.batch / 4) return;
    const until = this.#isFollowing ? { no_wait: true } : { expires: nanos(expiresMs) };
    this.due = batch;
    this.#brought = 0;
    this.#sentAt = performance.now();
    this.#request++;
    this.#hasEnded = false;
    this.#nc.publish(
      this.#subject,
      JSON.stringify({ batch, max_bytes: this.#options.requestBytes ?? maxRequestBytes, ...until }),
      { reply: `${this.#inbox}.${this.#request}` },
    );
  }

  async drain(): Promise<void> {
    this.#stopped = true;
    while (this.due > 0 && !this.#nc.isClosed())
      await new Promise<void>((resolve) => {
        this.#wakeDrain = resolve;
      });
    this.#isDrained = true;
    clearInterval(this.#timer);
    if (!this.#nc.isClosed() && !this.#subscription.isClosed()) await this.#subscription.drain();
  }

  #onMessage(msg: Msg): void {
    if (msg.reply?.startsWith("$JS.ACK.")) {
      if (this.due > 0) this.due--;
      this.#brought++;
      this.#pause.reset();
      this.#options.onDelivery(new Delivery(this.#wire, msg));
      if (this.due === 0) this.wake();
      return;
    }
    // About a request given up as lost, or a completed one, of which newer servers report once more.
    if (msg.subject !== `${this.#inbox}.${this.#request}` || this.due === 0) return;
    const code = msg.headers?.code ?? 0;
    if (code === 100) return;
    const description = msg.headers?.description ?? "";
    if (isOrdinaryEnd(code, description)) {
      // Some messages may still be on their way: with several replicas a delivery waits for their majority, and the
      // end of the request overtakes it.
      this.due -= undelivered(msg, description, this.due);
      this.#hasEnded = true;
      this.#pause.reset();
      this.#options.onServed?.();
      if (this.#isFollowing && code !== 409) this.#gather();
      this.wake();
      return;
    }
    this.#isRefused(code, description);
  }

  /** It gathers, and messages come: the next request soon follows, so it takes only what is there. */
  get #isFollowing(): boolean {
    return this.#options.gathers === true && this.#brought > 0;
  }

  #gather(): void {
    this.#isGathering = true;
    setTimeout(() => {
      this.#isGathering = false;
      this.wake();
    }, gatherMs);
  }

  #isRefused(code: number, description: string): void {
    this.due = 0;
    this.#pause.begin();
    this.wake();
    this.#options.onRefused?.(code, description);
  }

  #tick(): void {
    const isLost = this.due > 0 && performance.now() - this.#sentAt > lostAfterMs;
    // An old server does not answer at all when the consumer is missing.
    if (isLost && this.#connected && !this.#hasEnded) this.#isRefused(0, "no answer");
    else if (isLost || this.#nc.isClosed()) this.due = 0;
    this.wake();
  }

  async #followConnection(): Promise<void> {
    for await (const status of this.#nc.status()) {
      // The connection keeps listeners until they leave, and it reports a ping every few seconds.
      if (this.#isDrained) return;
      if (status.type === "disconnect") this.#connected = false;
      else if (status.type === "reconnect") {
        this.#connected = true;
        this.due = 0;
        this.wake();
      }
    }
  }
}

/**
 * Whether a request ended normally: no messages within its time (404, 408), no room for the next one within its
 * bytes, or all delivered before the bytes were used up (reported since 2.15). Anything else concerns the consumer.
 */
function isOrdinaryEnd(code: number, description: string): boolean {
  const isByBytes = /max_?bytes/i.test(description) && !/exceeded/i.test(description);
  return code === 404 || code === 408 || (code === 409 && (isByBytes || isComplete(description)));
}

const isComplete = (description: string): boolean => /batch completed/i.test(description);

/** How many of the messages still due the server did not deliver. */
function undelivered(msg: Msg, description: string, due: number): number {
  if (isComplete(description)) return 0;
  const pending = Number(msg.headers?.get("Nats-Pending-Messages") || due);
  return pending >= 0 && pending <= due ? pending : due;
}
