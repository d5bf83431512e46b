import { type AcceptedNumber, numberForm } from "../messages/accepted.ts";
import type { LetterRecord } from "../messages/ledger.ts";
import { deadStream, finalStage, rawStage, stageStream } from "../messages/subjects.ts";
import type { Disposition, Dispositions } from "./dispositions.ts";
import { Names } from "./names.ts";

/** Another message of CASINO_EVENTS for an event that is already there. */
export interface Repeat {
  readonly seq: number;
  /** The reader's dead letter that it claims to be; undefined without such a claim. */
  readonly replayOf: number | undefined;
  readonly accepted: AcceptedNumber;
  readonly name: string;
}

/** What is known of replayed dead letters, from the ledger and from the replayed messages themselves. */
export class Replays {
  readonly #letters = new Set<number>();
  /** Where replayed letters were put, as `<stream>:<sequence>`. */
  readonly #putAt = new Set<string>();
  /** Events whose letters went back to a later step than the first. */
  readonly #sentBack = new Set<string>();
  readonly #sentTo: LetterRecord[] = [];
  /** Raw messages that something says were replayed. */
  readonly #seen = new Set<number>();
  /** Which letter a message of CASINO_EVENTS claims to be, by its sequence. */
  readonly #replayedTo = new Map<number, number>();
  #firstFinal = Number.POSITIVE_INFINITY;
  #lastFinal = 0;

  /** A letter that is still there. */
  letter(seq: number): void {
    this.#letters.add(seq);
  }

  /** Something claims to be a replayed letter on its way. */
  says(number: number): void {
    this.#seen.add(number);
  }

  /** A message of CASINO_EVENTS. */
  final(seq: number, replayOf: number | undefined): void {
    this.#firstFinal = Math.min(this.#firstFinal, seq);
    this.#lastFinal = Math.max(this.#lastFinal, seq);
    if (replayOf !== undefined) this.#replayedTo.set(seq, replayOf);
  }

  /** The ledger says that a letter was replayed. */
  sent(record: LetterRecord): void {
    this.#sentTo.push(record);
    if (record.storedAs !== undefined) this.#putAt.add(record.storedAs);
  }

  /** The letter of this event went back to a later step than the first. */
  sentBack(accepted: AcceptedNumber): void {
    this.#sentBack.add(numberForm(accepted));
  }

  /** Whether a letter explains that a final event is there again: a replayed one, or one just being replayed. */
  explains({ seq, replayOf, accepted }: Repeat, dispositions: Dispositions): boolean {
    if (replayOf === undefined)
      return this.#sentBack.has(numberForm(accepted)) || dispositions.has(accepted, "dead");
    return this.#putAt.has(`${stageStream(finalStage)}:${seq}`) || this.#letters.has(replayOf);
  }

  /** Replayed letters whose recorded place holds something else. */
  swallowed(dispositions: Dispositions, most: number): Names {
    const swallowed = new Names(most);
    for (const record of this.#sentTo)
      if (this.#isSwallowed(record, dispositions))
        swallowed.add(`${deadStream} ${record.letter} (not what lies at ${record.storedAs})`);
    return swallowed;
  }

  /** Everything made from a replay says so; a producer's message, which the broker may have taken for the replay, cannot. */
  #isSwallowed({ letter, storedAs = "" }: LetterRecord, dispositions: Dispositions): boolean {
    const raw = sequenceIn(rawStage, storedAs);
    if (raw !== undefined) {
      // Copies say nothing of replays, and neither does what still waits at the door.
      const isMet = dispositions.hasAny(raw, "final") || dispositions.hasAny(raw, "dead");
      return isMet && !this.#seen.has(raw);
    }
    const final = sequenceIn(finalStage, storedAs);
    const wasRead = final !== undefined && final >= this.#firstFinal && final <= this.#lastFinal;
    return wasRead && this.#replayedTo.get(final) !== letter;
  }
}

/** What became of an event, by the record of its letter alone; undefined where the record says that it went elsewhere. */
export function dispositionByLedger({ kind, storedAs }: LetterRecord): Disposition | undefined {
  if (kind === "discarded") return "discarded";
  if (kind === "erased") return storedAs === undefined ? "erased" : undefined;
  return sequenceIn(rawStage, storedAs ?? "") === undefined ? undefined : "sentAgain";
}

/** The sequence in `<stream>:<sequence>`, if it is that stage's stream. */
export function sequenceIn(stage: string, message: string): number | undefined {
  const [stream, seq, ...rest] = message.split(":");
  return stream === stageStream(stage) && rest.length === 0 && /^[1-9]\d{0,15}$/.test(seq ?? "")
    ? Number(seq)
    : undefined;
}
