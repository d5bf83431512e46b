import { invalidOf, type SenderName } from "./events.ts";
import type { Findings } from "./findings.ts";
import type { InvalidEntry, Ledger } from "./ledger.ts";
import type { Letter } from "./letters.ts";

/** Checks that each accepted invalid message has one dead letter, with its reason and bytes, and nothing else has one. */
export class LettersCheck {
  readonly #seed: number;
  readonly #due = new Map<string, InvalidEntry>();
  readonly #counts = new Map<string, number>();
  readonly #senders: readonly SenderName[];

  constructor(senders: readonly SenderName[], seed: number) {
    this.#senders = senders;
    this.#seed = seed;
  }

  /** @param news the letters since the last call */
  check(ledger: Ledger, news: readonly Letter[]): Findings {
    const entries = ledger.takeInvalid();
    for (const entry of entries) this.#due.set(nameOf(entry), entry);
    const wrong: string[] = [];
    let doubled = 0;
    for (const letter of news) {
      const name = letter.mark || this.#nameIn(letter);
      const entry = this.#due.get(name);
      const count = (this.#counts.get(name) ?? 0) + 1;
      this.#counts.set(name, count);
      if (entry === undefined)
        wrong.push(`letter ${letter.seq} (${letter.reason}) is of no invalid message: ${letter.payload}`);
      else {
        const { reason, payload } = invalidOf(this.#seed, entry.sender, entry.n);
        if (letter.reason !== reason || (letter.isOriginal && letter.payload !== payload))
          wrong.push(
            `letter ${letter.seq} says ${letter.reason} of ${letter.payload}, not ${reason} of ${payload}`,
          );
        if (count > 1 && entry.sentOnce) {
          doubled++;
          wrong.push(`letter ${letter.seq} is the ${count}. of message ${name}, which was sent once`);
        }
      }
    }
    const missing = entries.filter((entry) => !this.#counts.has(nameOf(entry)));
    if (missing.length > 0)
      wrong.push(
        `${missing.length} invalid messages have no dead letter, first ${missing.slice(0, 5).map(nameOf).join(", ")}`,
      );
    return { lost: missing.length, doubled, wrong };
  }

  /**
   * `<sender>:<n>`; empty for a message that must not have a letter. Past the first step a producer's own headers are
   * gone; its source and the id remain.
   */
  #nameIn({ source, payload }: Letter): string {
    const id = Number(/^\{"id":(\d+),/.exec(payload)?.[1]);
    const sender = this.#senders.find((each) => each.source === source);
    return sender === undefined ? "" : `${sender.index}:${id}`;
  }
}

function nameOf({ sender, n }: InvalidEntry): string {
  return `${sender.index}:${n}`;
}
