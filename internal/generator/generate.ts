import { randomBytes, randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { newTraceparent, writeEnvelope } from "../actor/envelope.ts";
import { PublishError } from "../jetstream/pub-ack.ts";
import type { Outgoing, Publisher } from "../jetstream/publisher.ts";
import { rawStage, rawSubject } from "../jetstream/subjects.ts";
import type { Log } from "../log.ts";
import { type MakeEvents, randomEvents } from "./events.ts";
import { seededRandom } from "./random.ts";

export interface GenerateOptions {
  readonly publisher: Publisher;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Events per second; without it random gaps of 0 to 100 ms. */
  readonly rate?: number;
  readonly count?: number;
  readonly seed?: number;
  readonly client?: string;
  /** Default: casino events of all types. */
  readonly events?: MakeEvents;
}

const longestGapMs = 100;
const retryMs = 500;
/** Most events on their way at once: while none is stored, none is added. */
const mostUnstored = 4_096;
/** Most events between two looks at the clock. */
const burst = 500;

/**
 * Publishes random events until `count` is reached or the signal ends it; resolves once every event is stored, after
 * the signal once each is stored or refused. Each run has a source of its own (`generator-<run>`), because its ids start
 * at 1 again. A refused event (stream full, broker away) is published again until it is stored.
 */
export async function generate(options: GenerateOptions): Promise<void> {
  const { publisher, log, signal, rate, count = Number.POSITIVE_INFINITY, client = "casino" } = options;
  const seed = options.seed ?? randomInt(2 ** 32);
  const source = `generator-${randomBytes(4).toString("hex")}`;
  log.info({ source, seed, client }, "generating");

  const outbox = new Outbox(publisher, log, signal);
  const { events: makeEvents = randomEvents } = options;
  const events = makeEvents(seededRandom(seed), () => new Date());
  const started = performance.now();
  let sent = 0;
  while (sent < count && !signal.aborted) {
    await outbox.below(mostUnstored);
    const due = rate === undefined ? 1 : Math.floor(((performance.now() - started) / 1000) * rate) - sent + 1;
    const end = Math.min(sent + Math.min(due, burst), count);
    while (sent < end && !signal.aborted) {
      const event = events.next().value;
      sent++;
      outbox.add({
        subject: rawSubject(client),
        payload: JSON.stringify(event),
        headers: writeEnvelope({ client, source, traceparent: newTraceparent() }, sent, rawStage),
      });
    }
    const gap =
      rate === undefined ? Math.random() * longestGapMs : started + (sent / rate) * 1000 - performance.now();
    if (sent < count) await sleep(Math.max(0, gap), undefined, { signal }).catch(() => undefined);
  }
  await outbox.below(1);
  log.info({ source, events: outbox.stored }, "generated");
}

/** Events on their way into the stream, each published until it is stored; after the signal only once more. */
class Outbox {
  readonly #publisher: Publisher;
  readonly #log: Log;
  readonly #signal: AbortSignal;
  #unstored = 0;
  #stored = 0;
  #refused = false;
  #wake: () => void = () => undefined;

  constructor(publisher: Publisher, log: Log, signal: AbortSignal) {
    this.#publisher = publisher;
    this.#log = log;
    this.#signal = signal;
  }

  /** How many events the stream has. */
  get stored(): number {
    return this.#stored;
  }

  /** Resolves as soon as fewer than `limit` events are on their way. */
  async below(limit: number): Promise<void> {
    while (this.#unstored >= limit)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
  }

  add(message: Outgoing): void {
    this.#unstored++;
    this.#send(message);
  }

  #send(message: Outgoing): void {
    this.#publisher.send(message, (outcome) => {
      if (outcome instanceof PublishError) void this.#onRefused(message, outcome);
      else {
        this.#stored++;
        if (this.#refused) this.#log.info("events are stored again");
        this.#refused = false;
        this.#settle();
      }
    });
  }

  async #onRefused(message: Outgoing, why: PublishError): Promise<void> {
    if (this.#signal.aborted) return this.#settle();
    if (why.isTooLarge) throw why;
    if (!this.#refused) this.#log.warn({ err: why }, `events wait: ${why.message}`);
    this.#refused = true;
    await sleep(retryMs, undefined, { signal: this.#signal }).catch(() => undefined);
    this.#send(message);
  }

  #settle(): void {
    this.#unstored--;
    this.#wake();
  }
}
