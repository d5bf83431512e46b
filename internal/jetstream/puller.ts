import { type Msg, type NatsConnection, nanos, type Subscription } from "nats";
import { Delivery } from "./delivery.ts";
import { Frames } from "./frames.ts";
import { privateInbox } from "./inbox.ts";

/**
 * How long one pull request waits at the server. Short, because a stop waits for its end: a request cannot be called
 * back, and nats-server 2.9 delivers to one for two seconds after its subscription is gone, where nobody hears it.
 */
const expiresMs = 1_000;
/** A request without any answer this long after it expired was lost (server restarted, leader moved). */
const lostAfterMs = expiresMs + 2_000;
/**
 * Most bytes per request, far above the largest message. All requests on one connection must stay below what the server
 * buffers for a client (64 MiB) before it takes it for a slow consumer and cuts it off.
 */
const maxRequestBytes = 4 * 1024 * 1024;
/** Pause after the server refused a request: consumer missing, leader moving, too many waiting. */
const refusedPauseMs = 500;

export interface PullerOptions {
  readonly stream: string;
  readonly consumer: string;
  /** Most messages per request. */
  readonly batch: number;
  /** How many more messages the holder has room for right now; asked before each request. */
  readonly room: () => number;
  readonly onDelivery: (delivery: Delivery) => void;
  /** The server refused: the consumer is missing or moving. Called at most once per pause; may create it again. */
  readonly onRefused?: (code: number, description: string) => void;
}

/**
 * Pulls from a durable consumer, asking for as many messages as its holder has room for.
 *
 * Two lanes, each with a subscription and at most one request outstanding, so that one request is being filled while
 * the next travels. The library's `consume()` keeps pulling whatever its reader does and buffers what it got, out of
 * reach of `working()` and of a hand-back at shutdown; here nothing is delivered that was not asked for.
 */
export class Puller {
  readonly #lanes: readonly Lane[];

  constructor(nc: NatsConnection, options: PullerOptions) {
    const lanes: Lane[] = [];
    const room = () => lanes.reduce((left, lane) => left - lane.due, options.room());
    for (let lane = 0; lane < 2; lane++) lanes.push(new Lane(nc, { ...options, room }));
    this.#lanes = lanes;
    this.wake();
  }

  /** Tells that the holder has room again. Cheap; call it after settling. */
  wake(): void {
    for (const lane of this.#lanes) lane.wake();
  }

  /** Stops asking; resolves when the last request has ended, at most a second later, and all it brought is handed over. */
  async drain(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.drain()));
  }
}

class Lane {
  /** Messages the outstanding request may still bring; 0 = no request outstanding. */
  due = 0;
  readonly #nc: NatsConnection;
  readonly #frames: Frames;
  readonly #options: PullerOptions;
  readonly #inbox: string;
  readonly #subject: string;
  readonly #subscription: Subscription;
  readonly #timer: NodeJS.Timeout;
  #request = 0;
  #sentAt = 0;
  #pausedUntil = 0;
  #stopped = false;
  #wakeDrain: (() => void) | undefined;

  constructor(nc: NatsConnection, options: PullerOptions) {
    this.#nc = nc;
    this.#frames = Frames.of(nc);
    this.#options = options;
    this.#inbox = privateInbox(nc);
    this.#subject = `$JS.API.CONSUMER.MSG.NEXT.${options.stream}.${options.consumer}`;
    this.#subscription = nc.subscribe(`${this.#inbox}.*`, { callback: (_err, msg) => this.#onMessage(msg) });
    this.#timer = setInterval(() => this.#tick(), refusedPauseMs).unref();
    void this.#followConnection();
  }

  wake(): void {
    if (this.due === 0) this.#wakeDrain?.();
    if (this.#stopped || this.#nc.isClosed() || this.due > 0 || performance.now() < this.#pausedUntil) return;
    const batch = Math.min(this.#options.batch, this.#options.room());
    // A handful at a time would make every message a request of its own: wait until a good part is free.
    if (batch < this.#options.batch / 4) return;
    this.due = batch;
    this.#sentAt = performance.now();
    this.#request++;
    this.#nc.publish(
      this.#subject,
      JSON.stringify({ batch, max_bytes: maxRequestBytes, expires: nanos(expiresMs) }),
      {
        reply: `${this.#inbox}.${this.#request}`,
      },
    );
  }

  async drain(): Promise<void> {
    this.#stopped = true;
    while (this.due > 0 && !this.#nc.isClosed())
      await new Promise<void>((resolve) => {
        this.#wakeDrain = resolve;
      });
    clearInterval(this.#timer);
    if (!this.#nc.isClosed() && !this.#subscription.isClosed()) await this.#subscription.drain();
  }

  #onMessage(msg: Msg): void {
    if (!msg.subject.startsWith(this.#inbox)) {
      if (this.due > 0) this.due--;
      this.#options.onDelivery(new Delivery(this.#frames, msg));
      if (this.due === 0) this.wake();
      return;
    }
    // About a request given up as lost, or one that is complete: newer servers say so once more.
    if (msg.subject !== `${this.#inbox}.${this.#request}` || this.due === 0) return;
    const code = msg.headers?.code ?? 0;
    if (code === 100) return;
    this.due = 0;
    const description = msg.headers?.description ?? "";
    // The ordinary ends of a request: no more messages within its time, or within its bytes.
    if (code === 404 || code === 408 || (code === 409 && /max_?bytes/i.test(description))) {
      this.wake();
      return;
    }
    this.#pausedUntil = performance.now() + refusedPauseMs;
    this.wake();
    this.#options.onRefused?.(code, description);
  }

  #tick(): void {
    const lost = this.#nc.isClosed() || performance.now() - this.#sentAt > lostAfterMs;
    if (this.due > 0 && lost) this.due = 0;
    this.wake();
  }

  async #followConnection(): Promise<void> {
    for await (const status of this.#nc.status()) {
      if (status.type === "reconnect") {
        this.due = 0;
        this.wake();
      }
    }
  }
}
