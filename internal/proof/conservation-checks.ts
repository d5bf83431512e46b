import { type Check, type CheckName, holds, namesOf, none, unchecked, violated } from "./check.ts";
import type { Names } from "./names.ts";
import type { Queues } from "./queues.ts";
import type { Finals } from "./reading.ts";
import type { Closing, Reconciliation } from "./reconciliation.ts";

/** @param waiting what still waited when the given time was over */
export function quietCheck(waiting: readonly string[], most: number): Check {
  return none("quiet", namesOf(waiting, most), {
    good: "All events were settled when the reading began.",
    bad: "The pipeline did not come to rest in the time given to it; there still are",
  });
}

/** Whether each accepted event is somewhere. */
export function accountedCheck({ sum, lost, first }: Closing, { unread }: Pick<Queues, "unread">): Check {
  if (sum.unknown > unread) {
    const where = unread > 0 ? ` (not counting ${unread}, which may be in queues too long to be read)` : "";
    lost.count = sum.unknown - unread;
    return violated(
      "accounted",
      `Accepted events are neither waiting, nor final, nor dead letters, nor in the ledger${where}.`,
      lost,
    );
  }
  if (unread > 0)
    return unchecked("accounted", "Events wait in queues too long to be read: try again with --wait.");
  const which = first > 1 ? " of the time looked at" : "";
  return holds("accounted", `Every accepted event${which} is accounted for.`);
}

/** What the streams dropped by their limits, or held when they were deleted, is unknown and cannot be checked. */
export function olderCheck({ first, sum, isSuccessor }: Closing, madeAnew: readonly string[]): Check {
  if (isSuccessor)
    return unchecked(
      "older",
      "CASINO_RAW was made anew, after events of which some are still there: whether it held more of them then, nobody knows.",
    );
  if (first <= 1 || sum.unknownBefore === 0)
    return holds("older", "The streams still have everything since they were made.");
  const why = madeAnew.length > 0 ? `${madeAnew.join(" and ")} was made anew` : "the streams keep no longer";
  return unchecked(
    "older",
    `Of ${sum.unknownBefore} of the events accepted before number ${first} nothing is known any more: ${why}.`,
  );
}

/** Numbers that two streams have given out prove nothing. */
export function unlessAmbiguous({ isAmbiguous }: Closing, check: Check): Check {
  return isAmbiguous && numbered.has(check.name)
    ? unchecked(
        check.name,
        "Numbers of an earlier CASINO_RAW are about, and a cluster does not say which is which: try again when CASINO_EVENTS and CASINO_DEAD have let them go.",
      )
    : check;
}
const numbered: ReadonlySet<CheckName> = new Set<CheckName>(["accounted", "once", "resent", "strangers"]);

/** The checks that hold when nothing is found. */
export function countedChecks(
  reconciliation: Reconciliation,
  { swallowed, cut }: Closing,
  events: Finals,
  stranded: Names,
): readonly Check[] {
  return [
    none("resent", swallowed, {
      good: "Every dead letter that went as sent again is what lies where it was put.",
      bad: "Dead letters went as sent again, and something else lies where they were put.",
    }),
    none("cut", cut, {
      good: "Every dead letter has all of its bytes.",
      bad: "Of dead letters, parts of the bytes are gone.",
    }),
    none("once", reconciliation.doubled, {
      good: "Every final event is in CASINO_EVENTS once for each time it was accepted.",
      bad: "Final events are in CASINO_EVENTS more often than they were accepted.",
    }),
    none("strangers", reconciliation.strangers, {
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
