import { parseTimestamp } from "../casino/timestamp.ts";
import { duration } from "../service/config-values.ts";

/**
 * Parses a time, or how long ago it was, such as 1h.
 * @throws Error whose message completes the sentence "--name must …"
 */
export function timeOf(text: string): Date {
  const time = parseTimestamp(text);
  if (time !== undefined) return new Date(time);
  try {
    return new Date(Date.now() - duration(text));
  } catch (cause) {
    throw new Error("be a time such as 2026-01-10T12:34:56Z, or how long ago, such as 1h or 7d", { cause });
  }
}
