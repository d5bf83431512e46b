import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { type Envelope, isTraceparent } from "../messages/envelope.ts";
import { isBundleSubject, parseApartSubject, parseEventSubject } from "../messages/subjects.ts";
import type { HopTrace, SpanResult, TracedMessage } from "../messages/trace.ts";

/** A span shared by events that started together, until the last of them has ended. */
interface Batch {
  readonly span: Span;
  open: number;
}

interface Begun {
  readonly span: Span;
  readonly batch: Batch | undefined;
}

/**
 * The spans of one consumer, by OpenTelemetry's messaging conventions. An event that is not sampled costs only a check
 * of its traceparent. One object serves all mailboxes of a step.
 */
export class HopSpans implements HopTrace {
  readonly #tracer: Tracer;
  readonly #consumer: string;
  readonly #keeps: (traceparent: string) => boolean;
  readonly #begun = new WeakMap<object, Begun>();

  /** @param keeps whether the sampler keeps the trace: asked before a span is made, which costs several µs */
  constructor(tracer: Tracer, consumer: string, keeps: (traceparent: string) => boolean) {
    this.#tracer = tracer;
    this.#consumer = consumer;
    this.#keeps = keeps;
  }

  start(message: TracedMessage): string {
    const span = this.#startSpan("receive", message, ROOT_CONTEXT);
    span.end();
    return traceparentOf(span);
  }

  begin<E extends object>(
    events: readonly E[],
    traceparentOfEvent: (event: E) => string,
    messageOf: (event: E) => TracedMessage,
  ): void {
    let batch: Batch | undefined;
    for (const event of events) {
      const traceparent = traceparentOfEvent(event);
      if (!this.#keeps(traceparent)) continue;
      const parent = isTraceparent(traceparent) ? contextOf(traceparent) : ROOT_CONTEXT;
      const message = messageOf(event);
      // In the first event's trace, because a trace of its own would be sampled by chance.
      if (events.length > 1) batch ??= this.#startBatch(events.length, message, parent);
      const span = this.#startSpan("process", message, parent);
      if (!span.isRecording()) continue;
      if (batch !== undefined) {
        batch.span.addLink({ context: span.spanContext() });
        span.addLink({ context: batch.span.spanContext() });
        batch.open++;
      }
      this.#begun.set(event, { span, batch });
    }
    if (batch?.open === 0) batch.span.end();
  }

  onward(event: object, envelope: Envelope): Envelope {
    const begun = this.#begun.get(event);
    if (begun === undefined) return envelope;
    begun.span.addEvent("forward");
    return { ...envelope, traceparent: traceparentOf(begun.span) };
  }

  end(event: object, { outcome, error, status }: SpanResult): void {
    const begun = this.#begun.get(event);
    if (begun === undefined) return;
    this.#begun.delete(event);
    const { span, batch } = begun;
    span.setAttribute("croupier.outcome", outcome);
    if (status !== undefined) span.setAttribute("http.response.status_code", status);
    if (error !== undefined) span.setAttribute("error.type", error).setStatus({ code: SpanStatusCode.ERROR });
    span.end();
    if (batch !== undefined && --batch.open === 0) batch.span.end();
  }

  #startBatch(count: number, message: TracedMessage, parent: Context): Batch {
    const span = this.#startSpan("process", message, parent, { "messaging.batch.message_count": count });
    return { span, open: 0 };
  }

  #startSpan(
    operation: "receive" | "process",
    message: TracedMessage,
    parent: Context,
    more?: Attributes,
  ): Span {
    const { subject, stream, streamSequence, deliveries } = message;
    const attributes: Attributes = {
      ...destination(subject),
      "messaging.operation.name": operation,
      "messaging.operation.type": operation,
      "messaging.consumer.group.name": this.#consumer,
      "messaging.message.id": `${stream}:${streamSequence}`,
      ...more,
    };
    if (deliveries > 1) attributes["croupier.deliveries"] = deliveries;
    const what = more === undefined ? operation : `${operation} batch`;
    const name = `${what} ${attributes["messaging.destination.template"]}`;
    return this.#tracer.startSpan(name, { kind: SpanKind.CONSUMER, attributes }, parent);
  }
}

export function destination(subject: string) {
  return {
    "messaging.system": "nats",
    "messaging.destination.name": subject,
    "messaging.destination.template": templateOf(subject),
  };
}

/** The subject as a template, without tokens that have many values. */
function templateOf(subject: string): string {
  if (isBundleSubject(subject)) return subject;
  const apart = parseApartSubject(subject);
  if (apart !== undefined) return `casino.event.apart.${apart.step}.{client}`;
  const event = parseEventSubject(subject);
  if (event === undefined) return subject.replace(/[^.]+$/, "{destination}");
  const { stage, type } = event;
  return `casino.event.${stage}.{client}${type === undefined ? "" : ".{type}"}`;
}

/** The previous hop's context, from its valid traceparent. */
export function contextOf(traceparent: string): Context {
  const [, traceId = "", spanId = "", flags = ""] = traceparent.split("-");
  const traceFlags = Number.parseInt(flags, 16);
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
}

/** The traceparent for the next hop. */
export function traceparentOf(span: Span): string {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
}
