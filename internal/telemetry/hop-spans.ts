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
import { type HopTrace, isSampled, type SpanResult, type TracedMessage } from "../messages/trace.ts";

/** The span of what was begun together, until the last of it has ended. */
interface Batch {
  readonly span: Span;
  open: number;
}

interface Begun {
  readonly span: Span;
  readonly batch: Batch | undefined;
}

/**
 * The spans of one consumer, by the semantic conventions of messaging. Events that are not sampled cost a look at their flags.
 * One object is enough for all mailboxes of a step.
 */
export class HopSpans implements HopTrace {
  readonly #tracer: Tracer;
  readonly #consumer: string;
  readonly #followsParents: boolean;
  readonly #begun = new WeakMap<object, Begun>();

  /** @param followsParents whether what its trace says of an event decides alone */
  constructor(tracer: Tracer, consumer: string, followsParents: boolean) {
    this.#tracer = tracer;
    this.#consumer = consumer;
    this.#followsParents = followsParents;
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
      if (this.#followsParents && !isSampled(traceparent)) continue;
      const parent = isTraceparent(traceparent) ? contextOf(traceparent) : ROOT_CONTEXT;
      const message = messageOf(event);
      // In the trace of the first one: a trace of its own would be sampled by chance.
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

/** Where a message goes to or came from. */
export function destination(subject: string) {
  return {
    "messaging.system": "nats",
    "messaging.destination.name": subject,
    "messaging.destination.template": templateOf(subject),
  };
}

/** The subject without what has many values. */
function templateOf(subject: string): string {
  if (isBundleSubject(subject)) return subject;
  const apart = parseApartSubject(subject);
  if (apart !== undefined) return `casino.event.apart.${apart.step}.{client}`;
  const event = parseEventSubject(subject);
  if (event === undefined) return subject.replace(/[^.]+$/, "{destination}");
  const { stage, type } = event;
  return `casino.event.${stage}.{client}${type === undefined ? "" : ".{type}"}`;
}

/** The context of a hop before, by its valid traceparent. */
export function contextOf(traceparent: string): Context {
  const [, traceId = "", spanId = "", flags = ""] = traceparent.split("-");
  const traceFlags = Number.parseInt(flags, 16);
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
}

/** With which the next hop continues it. */
export function traceparentOf(span: Span): string {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
}
