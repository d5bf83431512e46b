import { parseTimestamp } from "../casino/timestamp.ts";

/** A time on the command line. @throws Error whose message completes the sentence "--name must …" */
export function timeOf(text: string): Date {
  const time = parseTimestamp(text);
  if (time === undefined) throw new Error("be an RFC 3339 time such as 2026-01-10T12:34:56Z");
  return new Date(time);
}
