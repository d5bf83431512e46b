import type { StoredMessage } from "../jetstream/stored-message.ts";
import { type AcceptedNumber, acceptedHeader, parseAccepted, readRanges } from "../messages/accepted.ts";
import { countHeader, mostEventsPerBundle, readBundleLine } from "../messages/bundle.ts";
import { linesOf } from "../messages/raw-message.ts";

interface Bundled {
  readonly numbers: readonly AcceptedNumber[];
  /** Lines, from 1, of events without an accepted number. */
  readonly strangers: readonly number[];
}

/**
 * The events of a bundle: from its headers, where they list as many as it carries, otherwise from its lines. An
 * unreadable line, or a bundle with too many lines, is on its way to the dead letters.
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
