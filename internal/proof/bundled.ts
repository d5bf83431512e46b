import type { StoredMessage } from "../jetstream/stored-message.ts";
import { type AcceptedNumber, acceptedHeader, parseAccepted, readRanges } from "../messages/accepted.ts";
import { countHeader, mostEventsPerBundle, readBundleLine } from "../messages/bundle.ts";
import { linesOf } from "../messages/raw-message.ts";

/** What a bundle carries. */
export interface Bundled {
  readonly numbers: readonly AcceptedNumber[];
  /** Lines, from 1, of events that were made of nothing accepted. */
  readonly strangers: readonly number[];
}

/**
 * The events of a bundle: by its headers, where they list as many as it carries; else by its lines. A line that cannot be read
 * is on its way to the dead letters, and a bundle with too many lines too.
 */
export function bundledIn({ headers, data }: Pick<StoredMessage, "headers" | "data">): Bundled {
  const listed = readRanges(headers.get(acceptedHeader), mostEventsPerBundle);
  if (listed !== undefined && String(listed.length) === headers.get(countHeader))
    return { numbers: listed, strangers: [] };
  const numbers: AcceptedNumber[] = [];
  const strangers: number[] = [];
  for (const [index, line] of linesOf(data, mostEventsPerBundle).entries()) {
    const read = readBundleLine(line);
    if (typeof read === "string") continue;
    const accepted = parseAccepted(read.envelope.accepted ?? "");
    if (accepted === undefined) strangers.push(index + 1);
    else numbers.push(accepted);
  }
  return { numbers, strangers };
}
