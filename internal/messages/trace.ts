import type { Delivery } from "../jetstream/delivery.ts";
import type { Envelope } from "./envelope.ts";

// What services need in order to be traced. Without traces there is none of these, and nothing else differs.

/** What a span says of the message that brought its event. */
export type TracedMessage = Pick<Delivery, "subject" | "stream" | "streamSequence" | "deliveries">;

/** How the work on an event ended, as its span says it. */
export interface SpanResult {
  /** One word of few: forwarded, archived, delivered, later, apart, dead_letter, … */
  readonly outcome: string;
  /** A code, where it failed. Never a text: it may hold what is not for a store of traces. */
  readonly error?: string | undefined;
  /** Of the answer to an HTTP call. */
  readonly status?: number | undefined;
}

/**
 * The spans of one hop: what a service does with each event, from when it opens its message until it is done with. An event is
 * known by an object that stands for it; a span that is never ended is never seen. Nothing here throws, waits or does I/O.
 */
export interface HopTrace {
  /** Starts a trace for a message that brought none; the sampler decides whether it is kept. @returns its traceparent */
  start(message: TracedMessage): string;
  /** Begins a span for each of these events whose trace is sampled; those of a batch share one more, linked with theirs. */
  begin<E extends object>(
    events: readonly E[],
    traceparentOf: (event: E) => string,
    messageOf: (event: E) => TracedMessage,
  ): void;
  /** The envelope with which an event goes on: the next hop's span is a child of this one's. */
  onward(event: object, envelope: Envelope): Envelope;
  /** Ends the span of an event, where it has one. */
  end(event: object, result: SpanResult): void;
}

export interface RequestSpan {
  /** What its events continue; without it each message starts a trace that is not sampled. */
  readonly traceparent: string | undefined;
  /** @param status of the answer */
  end(status: number): void;
}

/** Where traces begin: at the door, and in producers of ours. */
export interface SourceTrace {
  /** A request to send events to a subject, and the trace that it continues. */
  request(subject: string, traceparent: string | undefined): RequestSpan;
  /** A message that is being sent. @returns its traceparent */
  send(subject: string): string;
}

/** Whether somebody who comes later is to keep the trace as well, by the flags of its valid traceparent. */
export function isSampled(traceparent: string): boolean {
  return (Number.parseInt(traceparent.slice(-1), 16) & 1) === 1;
}
