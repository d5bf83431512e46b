import type { NatsConnection } from "nats";
import { Publisher, type PublisherMeter, type PublisherOptions } from "../jetstream/publisher.ts";
import type { Opening } from "../service/opening.ts";
import { DurationHistogram } from "./duration-histogram.ts";
import type { Metrics } from "./metrics.ts";

/**
 * Samples how long streams take to answer a publisher, one message at a time, because reading a clock for each is slow.
 */
class AnswerTimes implements PublisherMeter {
  readonly durations = new DurationHistogram();
  #timed: object | undefined;
  #since = 0;

  sent(message: object): void {
    if (this.#timed !== undefined && this.#timed !== message) return;
    this.#timed = message;
    this.#since = performance.now();
  }

  stored(message: object): void {
    if (this.#timed !== message) return;
    this.#timed = undefined;
    this.durations.addMs(performance.now() - this.#since);
  }

  lost(message: object): void {
    if (this.#timed === message) this.#timed = undefined;
  }
}

/** A publisher that samples how long streams take to answer. */
export class TimedPublisher extends Publisher {
  readonly answerTimes: DurationHistogram;

  constructor(nc: NatsConnection, options: Omit<PublisherOptions, "meter">) {
    const times = new AnswerTimes();
    super(nc, { ...options, meter: times });
    this.answerTimes = times.durations;
  }
}

/** A service's publisher, which is closed with it. */
export function openPublisher(
  { onClose }: Pick<Opening, "onClose">,
  nc: NatsConnection,
  options: Omit<PublisherOptions, "meter">,
): TimedPublisher {
  const publisher = new TimedPublisher(nc, options);
  onClose("publisher", () => publisher.close());
  return publisher;
}

/** Metrics of a publisher: messages in flight, and how long streams take to answer. */
export function addPublisher(metrics: Metrics, publisher: TimedPublisher): void {
  const { stats } = publisher;
  metrics.counter("croupier_published_total", "Published messages, by the stream's answer.", () => [
    { labels: { outcome: "stored" }, value: stats.published - stats.duplicates },
    { labels: { outcome: "duplicate" }, value: stats.duplicates },
    { labels: { outcome: "failed" }, value: stats.failed },
  ]);
  metrics.counter("croupier_publish_resent_total", "Messages that were sent again after a reconnect.", () => [
    { value: stats.resent },
  ]);
  metrics.gauge("croupier_publish_in_flight", "Messages that wait for their PubAck.", () => [
    { value: publisher.inFlight },
  ]);
  metrics.gauge("croupier_publish_waiting", "Messages that wait for room in the window.", () => [
    { value: publisher.pending - publisher.inFlight },
  ]);
  metrics.gauge("croupier_publish_window", "Maximum messages in flight.", () => [
    { value: publisher.window },
  ]);
  metrics.histogram(
    "croupier_puback_duration_seconds",
    "Time from sending to PubAck, of a sample of messages.",
    () => [publisher.answerTimes.distribution],
  );
}
