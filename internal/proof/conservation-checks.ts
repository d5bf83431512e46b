import type { Accounts, Closing } from "./accounts.ts";
import { type Check, holds, namesOf, none, unchecked, violated } from "./check.ts";
import { Names } from "./names.ts";
import type { Finals, Queues } from "./reading.ts";
import type { StreamState } from "./stream-state.ts";

/** @param waiting what still waited when the time given was over */
export function quietCheck(waiting: readonly string[], most: number): Check {
  return none("quiet", namesOf(waiting, most), {
    good: "All events were settled when the reading began.",
    bad: "The pipeline did not come to rest in the time given to it; there still are",
  });
}

/** Whether each accepted event is somewhere. */
export function accountedCheck({ sum, lost, first }: Closing, { unread }: Queues): Check {
  if (sum.unknown > unread) {
    const where = unread > 0 ? `, the ${unread} in queues too long to be read set aside` : "";
    lost.count = sum.unknown - unread;
    return violated(
      "accounted",
      `Accepted events are neither waiting, nor final, nor dead letters, nor in the ledger${where}.`,
      lost,
    );
  }
  if (unread > 0)
    return unchecked(
      "accounted",
      `${unread} messages wait in queues too long to be read: try again with --wait.`,
    );
  const which = first > 1 ? " of the time looked at" : "";
  return holds("accounted", `Every accepted event${which} is accounted for.`);
}

/** What is known of the time before that. */
export interface Older {
  /** Streams among those below that were made anew. */
  readonly madeAnew: readonly string[];
  /** CASINO_EVENTS, CASINO_DEAD and CASINO_LEDGER. */
  readonly log: StreamState;
  readonly letters: StreamState;
  readonly ledger: StreamState;
  /** Letters that the ledger knows to be gone. */
  readonly removedLetters: number;
  /** Whether somebody asked for a part of the time only. */
  readonly wasCutShort: boolean;
}

/** Of what went by the limits of the streams only sums are left. */
export function olderCheck({ first, sum }: Closing, older: Older): Check {
  if (older.wasCutShort)
    return unchecked("older", "What was accepted before the time asked for was not looked at.");
  if (first <= 1) return holds("older", "The streams still have everything since they were made.");
  if (older.ledger.firstSeq > 1)
    return unchecked("older", "The ledger no longer knows all that was sent again, discarded or dropped.");
  const { madeAnew, log, letters, removedLetters } = older;
  const expired = log.firstSeq - 1 + Math.max(0, letters.lastSeq - letters.messages - removedLetters);
  const missing = new Names(0);
  missing.count = Math.max(0, sum.unknownBefore - expired);
  if (missing.count > 0 && madeAnew.length > 0)
    return unchecked("older", `${madeAnew.join(" and ")} was made anew: what it held before is not known.`);
  return none("older", missing, {
    good: "Of the older events no more are missing than have gone by the limits of the streams.",
    bad: "Of the older events more are missing than have gone by the limits of the streams.",
  });
}

/** The checks that only have to find nothing. */
export function countedChecks(accounts: Accounts, events: Finals, stranded: Names): readonly Check[] {
  return [
    none("once", accounts.doubled, {
      good: "Every final event is in CASINO_EVENTS once for each time it was accepted.",
      bad: "Final events are in CASINO_EVENTS more often than they were accepted.",
    }),
    none("strangers", accounts.strangers, {
      good: "Everything in the pipeline was accepted by CASINO_RAW.",
      bad: "There are messages in the pipeline that CASINO_RAW never accepted.",
    }),
    none("holes", events.holes, {
      good: "CASINO_EVENTS has no holes.",
      bad: "Messages were deleted from CASINO_EVENTS.",
    }),
    none("stranded", stranded, {
      good: "Every message in a queue is going to be delivered.",
      bad: "There are messages in queues that their consumers will not deliver any more.",
    }),
  ];
}
