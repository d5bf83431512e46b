import type { StreamState } from "../jetstream/stream-state.ts";

/** Messages go of age while they are read, and clocks differ a little: what is nearly of age is not relied on. */
const ageMargin = 0.01;
const leastMarginMs = 5_000;
/** A stream this full lets go its oldest messages for its newest. */
const full = 0.9;
/** Of a full stream, the oldest part is not relied on: it may go while it is read. */
const fullMargin = 0.1;

/**
 * From which time on the stream must still have everything it stored, by its own limits: 0 when it never came to any. What
 * is missing after that time was deleted.
 */
export function completeSince(state: StreamState, now: number): number {
  const { created, maxAgeMs, maxBytes, bytes, firstSeq, firstAt, lastAt, lastSeq } = state;
  const byAge = maxAgeMs === 0 ? 0 : now - maxAgeMs + Math.max(leastMarginMs, maxAgeMs * ageMargin);
  const bySize = maxBytes > 0 && bytes >= maxBytes * full ? firstAt + (lastAt - firstAt) * fullMargin : 0;
  const since = Math.max(byAge, bySize);
  const hasAll = firstSeq <= 1 && (lastSeq === 0 || firstAt >= since);
  return hasAll || since <= created ? 0 : since;
}

/** From when on a stream may have what it is asked for: its creation; where that is not known, its first message. */
export function beganAt({ created, firstAt }: StreamState, now: number): number {
  return created || firstAt || now;
}

/** Whoever comes first makes the streams one after the other; a cluster takes its time over each. */
const madeTogetherMs = 30_000;

/**
 * Whether a stream was made long after the pipeline it belongs to, so that one of its name may have been deleted. In a cluster
 * nobody says: what such a stream would have had counts as lost.
 */
export function isMadeAnew({ created }: StreamState, { created: began }: StreamState): boolean {
  return created > began + madeTogetherMs;
}
