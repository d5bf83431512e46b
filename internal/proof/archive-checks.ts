import type { ConsumerState } from "../jetstream/consumer-state.ts";
import { type EventKey, keyText } from "../messages/event-key.ts";
import { type ArchiveLookup, describeUnarchived } from "./archive.ts";
import { type Check, namesOf, none, unchecked } from "./check.ts";
import { Names } from "./names.ts";
import type { Reconciliation } from "./reconciliation.ts";

interface ArchiveCheckOptions {
  /** Undefined when there never was an archiver. */
  readonly archiver: ConsumerState | undefined;
  /** Whether CASINO_EVENTS did not grow while it was read. */
  readonly isAtRest: boolean;
  readonly most: number;
}

/** Whether Postgres has each final event that the archiver has acknowledged, and no other. @throws Unavailable */
export async function archiveChecks(
  lookup: ArchiveLookup,
  reconciliation: Reconciliation,
  { archiver, isAtRest, most }: ArchiveCheckOptions,
): Promise<readonly Check[]> {
  const missing = lookup.unarchived.filter(({ seq }) => !reconciliation.refused.has(seq));
  const archived =
    archiver === undefined
      ? unchecked("archived", "No archiver has ever run.")
      : none("archived", namesOf(missing.map(describeUnarchived), most), {
          good: "Postgres has every final event that the archiver is done with.",
          bad: "Final events that the archiver is done with are not in Postgres.",
        });
  const surplus = new Names(most);
  const count = await lookup.surplus(isAtRest);
  if (count > 0) {
    const isKnown = ({ client, source, id }: EventKey) => reconciliation.events.has(client, source, id);
    const strangers = await lookup.strangers(isAtRest, isKnown, most);
    for (const key of strangers) surplus.add(keyText(key));
    surplus.count = count;
  }
  return [
    archived,
    none("surplus", surplus, {
      good: "Postgres has no event that CASINO_EVENTS should still have and has not.",
      bad: "Postgres has events that CASINO_EVENTS should still have and has not.",
    }),
  ];
}
