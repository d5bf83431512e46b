import { quantileBetween } from "./duration-histogram.ts";
import type { WorkStatus } from "./status.ts";
import type { WorkMeter } from "./work-meter.ts";

/** A meter's totals at one moment. */
interface Moment {
  /** On the clock of `performance.now()`. */
  readonly at: number;
  readonly events: number;
  readonly messages: number;
  readonly durations: Float64Array;
}

/** Number of samples in the window: at one per second, rates and durations cover the last five seconds. */
const looks = 5;

/** Derives rates and quantiles from a meter's totals. Call `look` once a second. */
export class WorkWindow {
  readonly meter: WorkMeter;
  readonly #moments: Moment[] = [];

  constructor(meter: WorkMeter) {
    this.meter = meter;
    this.#moments.push(this.#moment());
  }

  look(): WorkStatus {
    const now = this.#moment();
    this.#moments.push(now);
    if (this.#moments.length > looks + 1) this.#moments.shift();
    const [then = now] = this.#moments;
    const events = now.events - then.events;
    const messages = now.messages - then.messages;
    const seconds = (now.at - then.at) / 1_000;
    const { meter } = this;
    return {
      events: now.events,
      rate: seconds > 0 ? round(Math.max(0, events) / seconds) : 0,
      in_flight: meter.inFlight,
      messages: now.messages,
      bundle_mean: messages > 0 ? round(Math.max(0, events) / messages) : null,
      redelivered: meter.redelivered,
      retried: meter.retried,
      dead_letters: meter.deadLetters.values().reduce((sum, count) => sum + count, 0),
      dead_letters_by_reason: Object.fromEntries(meter.deadLetters),
      p50_ms: quantileBetween(then.durations, now.durations, 0.5),
      p99_ms: quantileBetween(then.durations, now.durations, 0.99),
    };
  }

  #moment(): Moment {
    const { events, messages, durations } = this.meter;
    return { at: performance.now(), events, messages, durations: durations.snapshot() };
  }
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
