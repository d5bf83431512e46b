import { fieldError } from "./field-error.ts";
import type { Decoded } from "./reader.ts";
import { refuse } from "./reader.ts";

/**
 * Refuses an event dated too far after its acceptance: it would head every list for years.
 * @param acceptedAt in ms since the epoch
 * @param maxAheadMs Infinity accepts any date
 */
export function notAhead(decoded: Decoded, acceptedAt: number, maxAheadMs: number): Decoded {
  if (!decoded.ok || !(Date.parse(decoded.event.created_at) > acceptedAt + maxAheadMs)) return decoded;
  const limit = new Date(acceptedAt + maxAheadMs).toISOString();
  return refuse("invalid_event", [
    fieldError("/created_at", `must not be after ${limit}, EVENT_MAX_AHEAD after the event was accepted`),
  ]);
}
