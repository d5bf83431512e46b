import { euroCents } from "../../oracle.ts";
import type { Findings } from "../findings.ts";
import type { HostileEvent } from "./attacks.ts";
import type { Sent } from "./mallory.ts";

/** What the system holds of hers. */
export interface Found {
  /** Her rows in Postgres by `eventName`: the amount in euro cents. */
  readonly rows: ReadonlyMap<string, number>;
  /** The number of her dead letters, by the sequence in CASINO_RAW of their message. */
  readonly letters: ReadonlyMap<number, number>;
}

export function eventName({ source, id }: Pick<HostileEvent, "source" | "id">): string {
  return `${source}:${id}`;
}

/**
 * Checks that each message that CASINO_RAW acknowledged to her became what it must, and that the system holds nothing else of
 * hers. Her forged headers must have no effect: amounts in euros follow the rates.
 */
export function judge(sent: readonly Sent[], { rows, letters }: Found): Findings {
  const wrong: string[] = [];
  let [lost, doubled] = [0, 0];
  for (const { kind, finals, letters: due, answer, seq } of sent) {
    if (answer !== "stored" || seq === undefined) continue;
    const missing = finals.filter((event) => !rows.has(eventName(event)));
    const there = letters.get(seq) ?? 0;
    lost += missing.length + Math.max(0, due - there);
    doubled += Math.max(0, there - due);
    if (missing.length > 0)
      wrong.push(`not in Postgres, of the hostile client (${kind}): ${missing.map(eventName)}`);
    if (there !== due)
      wrong.push(
        `message ${seq} of the hostile client (${kind}) has ${there} dead letters instead of ${due}`,
      );
  }
  const hers = new Map(sent.flatMap(({ finals }) => finals).map((event) => [eventName(event), event]));
  for (const [name, euros] of rows) {
    const event = hers.get(name);
    if (event === undefined) {
      doubled++;
      wrong.push(`Postgres holds ${name} of the hostile client, which she never sent`);
    } else if (euros !== euroCents(event.amount, "USD"))
      wrong.push(`${name} of the hostile client, ${event.amount} US cents, became ${euros} euro cents`);
  }
  return {
    lost,
    doubled,
    wrong: wrong.length > 20 ? [...wrong.slice(0, 20), `and ${wrong.length - 20} more`] : wrong,
  };
}
