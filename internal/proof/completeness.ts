import type { StreamState } from "../jetstream/stream-state.ts";

/** Messages expire while they are read, and clocks differ a little: nearly expired ones are not relied on. */
const ageMargin = 0.01;
const leastMarginMs = 5_000;
/** A stream this full drops its oldest messages for new ones. */
const full = 0.9;
/** One that has dropped some may be less full, by as much as its largest message. */
const fullAgain = 0.75;
/** In a full stream, the oldest part is not relied on: it may be dropped while it is read. */
const fullMargin = 0.1;

/**
 * From which time on the stream must still have everything it stored, by its own limits: 0 when it never reached any.
 * Anything missing after that time was deleted.
 */
export function completeSince(state: StreamState, now: number): number {
  const { created, maxAgeMs, maxBytes, bytes, firstSeq, firstAt, lastAt, lastSeq } = state;
  const byAge = maxAgeMs === 0 ? 0 : now - maxAgeMs + Math.max(leastMarginMs, maxAgeMs * ageMargin);
  const isFull = maxBytes > 0 && bytes >= maxBytes * (firstSeq > 1 ? fullAgain : full);
  const bySize = isFull ? firstAt + (lastAt - firstAt) * fullMargin : 0;
  const since = Math.max(byAge, bySize);
  const hasAll = firstSeq <= 1 && (lastSeq === 0 || firstAt >= since);
  return hasAll || since <= created ? 0 : since;
}

/** Since when a stream can have messages: its creation; where that is unknown, its first message. */
export function beganAt({ created, firstAt }: StreamState, now: number): number {
  return created || firstAt || now;
}

/** The first service creates the streams one after the other; a cluster takes some time for each. */
const madeTogetherMs = 30_000;

/**
 * Whether a stream was created long after its pipeline, so that an earlier one of its name may have been deleted. A
 * cluster does not tell: what such a stream held then counts as lost.
 */
export function isMadeAnew({ created }: StreamState, { created: began }: StreamState): boolean {
  return created > began + madeTogetherMs;
}
