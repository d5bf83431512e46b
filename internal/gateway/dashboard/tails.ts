import type { NatsConnection, Subscription } from "nats";
import { sourceIn } from "../../messages/final-event.ts";
import { parseEventSubject, stageSubject } from "../../messages/subjects.ts";
import { Problem } from "../../service/problem.ts";
import { serverSent } from "./viewers.ts";

const everyMs = 250;
/** Events of one filter per turn. The broker sends at most four times as many per second. */
const mostInTurn = 25;
/** Bytes up to which an event is shown whole. */
const mostBytes = 8 * 1024;
const mostFilters = 32;

/** Which final events are wanted; undefined = all. */
export interface TailFilter {
  readonly client: string | undefined;
  readonly type: string | undefined;
}

/** One subscription and its viewers. */
interface Tap {
  readonly sinks: Set<(event: string) => void>;
  /** Ends by itself after as many events as a turn allows. */
  subscription: Subscription;
  events: object[];
}

/**
 * Final events as they pass, at most 100 a second for each filter. Each turn tells the broker how many to send, so that
 * it sends nothing that nobody could read. Without viewers there is no subscription.
 */
export class Tails {
  readonly #nc: NatsConnection;
  readonly #taps = new Map<string, Tap>();
  #timer: NodeJS.Timeout | undefined;

  constructor(nc: NatsConnection) {
    this.#nc = nc;
  }

  /**
   * Hands events over in server-sent events named `tail`, several at a time.
   * @returns ends it
   * @throws Problem 503 when too many different filters are in use
   */
  follow({ client = "*", type = "*" }: Partial<TailFilter>, sink: (event: string) => void): () => void {
    const subject = stageSubject("final", client, type);
    const tap = this.#taps.get(subject) ?? this.#open(subject);
    tap.sinks.add(sink);
    return () => {
      tap.sinks.delete(sink);
      if (tap.sinks.size > 0) return;
      tap.subscription.unsubscribe();
      this.#taps.delete(subject);
      if (this.#taps.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
  }

  #open(subject: string): Tap {
    if (this.#taps.size >= mostFilters)
      throw new Problem(503, "Too many different filters are in use: choose all clients and types.", {
        headers: { "retry-after": "5" },
      });
    const tap: Tap = { sinks: new Set(), events: [], subscription: this.#subscribe(subject) };
    this.#taps.set(subject, tap);
    this.#timer ??= setInterval(() => this.#turn(), everyMs).unref();
    return tap;
  }

  #subscribe(subject: string): Subscription {
    return this.#nc.subscribe(subject, {
      max: mostInTurn,
      callback: (err, message) => {
        const tap = this.#taps.get(subject);
        if (err !== null || tap === undefined) return;
        const shown = show(message.subject, sourceIn(message), message.data);
        if (shown !== undefined) tap.events.push(shown);
      },
    });
  }

  #turn(): void {
    for (const [subject, tap] of this.#taps) {
      if (tap.subscription.getReceived() > 0) {
        // Both in one write, so that hardly anything passes between them.
        tap.subscription.unsubscribe();
        tap.subscription = this.#subscribe(subject);
      }
      if (tap.events.length === 0) continue;
      const event = serverSent("tail", JSON.stringify(tap.events));
      tap.events = [];
      for (const sink of tap.sinks) sink(event);
    }
  }
}

/** Parses, because others may publish there too; undefined for anything that is no event. */
function show(subject: string, source: string, data: Uint8Array): object | undefined {
  const { client, type } = parseEventSubject(subject) ?? {};
  if (client === undefined) return undefined;
  if (data.length > mostBytes)
    return { client, source, event: { type, description: `${data.length} bytes` } };
  try {
    return { client, source, event: JSON.parse(Buffer.from(data).toString()) };
  } catch {
    return undefined;
  }
}
