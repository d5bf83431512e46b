import type { Delivery } from "../jetstream/delivery.ts";
import type { Enclosed } from "../messages/enclosed.ts";
import { isTraceparent } from "../messages/envelope.ts";
import { isRawSubject } from "../messages/subjects.ts";
import type { HopTrace, SpanResult } from "../messages/trace.ts";
import type { DeadLetter, Later } from "./step.ts";

/** Begins the spans of a message's events. A raw message that brings no trace gets one here, which its events share. */
export function traced(
  trace: HopTrace,
  delivery: Delivery,
  events: readonly Enclosed[],
): readonly Enclosed[] {
  const isNew = isRawSubject(delivery.subject) && !isTraceparent(delivery.headers.get("traceparent"));
  const begun = isNew ? withTrace(events, trace.start(delivery)) : events;
  trace.begin(
    begun,
    ({ envelope }) => envelope.traceparent,
    () => delivery,
  );
  return begun;
}

function withTrace(events: readonly Enclosed[], traceparent: string): readonly Enclosed[] {
  return events.map((event) => ({ ...event, envelope: { ...event.envelope, traceparent } }));
}

/** What the span of an event says that does not go on. */
export function turnedAway(outcome: DeadLetter | Later): SpanResult {
  return outcome.kind === "later" ? { outcome: "later" } : { outcome: "dead_letter", error: outcome.reason };
}
