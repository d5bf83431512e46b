import type { LetterHead } from "../dead-letters/letter.ts";
import { type Accepted, acceptedHeader, parseAccepted } from "../jetstream/accepted.ts";
import { finalStage, rawStage, stageStream } from "../jetstream/subjects.ts";
import type { Dropped, LedgerRecord, LetterRemoved } from "../ledger/record.ts";
import { IdSet } from "../materializer/id-set.ts";
import { type EventKey, eventOf, keyText } from "./event-key.ts";
import { type FateSum, Fates } from "./fates.ts";
import type { FinalEvent } from "./final-event.ts";
import { Names } from "./names.ts";
import type { StreamState } from "./stream-state.ts";
import type { WaitingMessage } from "./waiting.ts";

/** The longest duplicate window: a copy is dropped at most so long after its original was stored. */
const longestWindowMs = 10 * 60_000;

export interface AccountsOptions {
  /** CASINO_RAW when the reading began: what it accepted later is not looked at. */
  readonly raw: StreamState;
  /** From which time on everything must still be there, in ms since the epoch; 0 = from the beginning. */
  readonly since: number;
  /** Records of the ledger from this sequence on were written while it was read. */
  readonly ledgerBefore: number;
  /** How many of a kind are named. */
  readonly names: number;
}

interface Numbered {
  readonly number: number;
  /** Of the final event. */
  readonly name: string;
}

/** One that is there once more, and says that a dead letter was sent again. */
type Replayed = Numbered & Pick<FinalEvent, "seq" | "replayOf">;

/** What became of the accepted events. */
export interface Closing {
  /** Numbers from this one on are accounted for one by one. */
  readonly first: number;
  readonly sum: FateSum;
  readonly lost: Names;
}

/**
 * Keeps account of the accepted events, one by one, by their numbers. Whoever fills it reads what lies further up the
 * pipeline before what lies further down: an event that moves on meanwhile is then met once at least.
 */
export class Accounts {
  /** The events in CASINO_EVENTS. */
  readonly events = new IdSet();
  /** Final events that are there twice though they were accepted once. */
  readonly doubled: Names;
  /** Messages of CASINO_EVENTS, or of the queues behind the first, that were made of nothing accepted. */
  readonly strangers: Names;
  /** Final events whose producer sent them once more after the duplicate window, by client. */
  readonly sentTwice = new Map<string, number>();
  /** Final events that are there once more because a dead letter was sent again. */
  readonly replayed: Names;
  /** Sequences of CASINO_EVENTS that the archiver set aside. */
  readonly refused = new Set<number>();
  /** Letters that the ledger knows to be gone. */
  readonly removedLetters = new Set<number>();
  readonly #options: AccountsOptions;
  readonly #fates = new Fates();
  /** Events in queues, and those of letters there or discarded. */
  readonly #others = new Set<string>();
  /** Copies of events that have not been met yet. */
  readonly #copies: Dropped[] = [];
  readonly #replays: Replayed[] = [];
  /** Final events accepted since the reading began, if they were accepted at all. */
  readonly #younger: Numbered[] = [];
  readonly #letters = new Set<number>();
  /** Where replayed letters were put, as `<stream>:<sequence>`. */
  readonly #putAt = new Set<string>();
  /** Numbers of what letters sent back to a later step than the first. */
  readonly #sentBack = new Set<number>();
  readonly #moving: number[] = [];
  #first = Number.POSITIVE_INFINITY;

  constructor(options: AccountsOptions) {
    this.#options = options;
    this.doubled = new Names(options.names);
    this.strangers = new Names(options.names);
    this.replayed = new Names(options.names);
    if (options.since === 0) this.#first = 1;
    else this.#noteTime({ number: options.raw.lastSeq, at: options.raw.lastAt });
  }

  /** A message that waits in CASINO_RAW. */
  waitingAtFirst(seq: number): void {
    this.#fates.add(seq, "waiting");
  }

  /** A message that waits in the queue of a later stage. */
  waiting(stage: string, { seq, headers }: WaitingMessage): void {
    const accepted = parseAccepted(headers.get(acceptedHeader));
    const key = eventOf(headers.get("Nats-Msg-Id"));
    if (key !== undefined) this.#others.add(keyText(key));
    if (this.#isOurs(accepted)) this.#fates.add(accepted.number, "waiting");
    else if (accepted === undefined) this.strangers.add(`${stageStream(stage)} ${seq}`);
  }

  /** A message of CASINO_EVENTS. @returns whether it is the first of its event */
  final({ seq, key, accepted, replayOf, wasReplayed }: FinalEvent): boolean {
    const isNew = key !== undefined && this.events.add(key.client, key.source, key.id);
    const name = () => `${key === undefined ? "no event" : keyText(key)} (CASINO_EVENTS ${seq})`;
    if (accepted === undefined) this.strangers.add(name());
    else if (this.#isOurs(accepted)) {
      const { number } = accepted;
      if (number > this.#options.raw.lastSeq) this.#younger.push({ number, name: name() });
      if (this.#fates.add(number, "final")) this.#countRepeat(isNew, key);
      else if (replayOf === undefined && !wasReplayed) this.doubled.add(name());
      else this.#replays.push({ seq, replayOf, number, name: name() });
    } else this.#countRepeat(isNew, key);
    return isNew;
  }

  #countRepeat(isNew: boolean, key: EventKey | undefined): void {
    if (isNew || key === undefined) return;
    this.sentTwice.set(key.client, (this.sentTwice.get(key.client) ?? 0) + 1);
  }

  /** A letter of CASINO_DEAD. */
  letter(letter: LetterHead): void {
    this.#letters.add(letter.seq);
    const accepted = this.#acceptedOf(letter);
    const key = eventOf(letter.messageId);
    if (key !== undefined) this.#others.add(keyText(key));
    const refused = sequenceIn(finalStage, letter.message);
    if (refused !== undefined) this.refused.add(refused);
    else if (accepted !== undefined) this.#fates.add(accepted, "dead");
  }

  /** A record of the ledger. */
  record(record: LedgerRecord, seq: number): void {
    if (record.kind === "duplicates") {
      for (const dropped of record.dropped) if (!this.#settleCopy(dropped)) this.#copies.push(dropped);
      return;
    }
    this.removedLetters.add(record.letter);
    const key = eventOf(record.messageId);
    if (key !== undefined) this.#others.add(keyText(key));
    const refused = sequenceIn(finalStage, record.message);
    const accepted = this.#acceptedOf(record);
    if (refused !== undefined) {
      this.refused.add(refused);
      if (record.storedAs !== undefined) this.#putAt.add(record.storedAs);
    } else if (accepted === undefined) return;
    else if (record.kind === "discarded") this.#fates.add(accepted, "discarded");
    else if (sequenceIn(rawStage, record.storedAs ?? "") !== undefined)
      this.#fates.add(accepted, "sentAgain");
    else {
      this.#sentBack.add(accepted);
      if (seq >= this.#options.ledgerBefore) this.#moving.push(accepted);
    }
  }

  /**
   * Draws the line under it; nothing may be added afterwards.
   * @param lastAccepted how many CASINO_RAW has accepted by the end of the reading
   */
  close(lastAccepted: number): Closing {
    for (const { number, name } of this.#younger) if (number > lastAccepted) this.strangers.add(name);
    const { raw, names } = this.#options;
    // Sent back up the pipeline while it was read: looked for too late there, and too early here.
    for (const number of this.#moving) if (!this.#fates.isKnown(number)) this.#fates.add(number, "moving");
    const orphans = new Map<number, string>();
    for (const dropped of this.#copies)
      if (!this.#settleCopy(dropped))
        orphans.set(
          parseAccepted(dropped.accepted)?.number ?? 0,
          ` (dropped as a copy of ${dropped.event}, which is nowhere)`,
        );
    for (const replay of this.#replays)
      (this.#isReplay(replay) ? this.replayed : this.doubled).add(replay.name);
    const first = Math.min(this.#first, raw.lastSeq + 1);
    const sum = this.#fates.sum(first, raw.lastSeq, names);
    const lost = new Names(names);
    for (const number of sum.firstUnknown) lost.add(`${raw.stream} ${number}${orphans.get(number) ?? ""}`);
    lost.count = sum.unknown;
    return { first, sum, lost };
  }

  /** Whether a letter explains that a final event is there once more: one that was sent again, or is just being sent. */
  #isReplay({ seq, replayOf, number }: Replayed): boolean {
    if (replayOf === undefined) return this.#sentBack.has(number) || this.#fates.has(number, "dead");
    return this.#putAt.has(`${stageStream(finalStage)}:${seq}`) || this.#letters.has(replayOf);
  }

  /**
   * A copy is accounted for when the event it is a copy of is; one that is somewhere itself was a copy of itself, having
   * come twice. @returns false when neither has been met yet
   */
  #settleCopy({ accepted, event }: Dropped): boolean {
    const parsed = parseAccepted(accepted);
    if (!this.#isOurs(parsed) || this.#fates.isKnown(parsed.number)) return true;
    const { since } = this.#options;
    const mayBeForgotten = since > 0 && parsed.at < since + longestWindowMs;
    if (!mayBeForgotten && !this.#isThere(event)) return false;
    this.#fates.add(parsed.number, "copy");
    return true;
  }

  #isThere(event: string): boolean {
    const key = eventOf(event);
    if (key === undefined) return false;
    return this.events.has(key.client, key.source, key.id) || this.#others.has(event);
  }

  /** The number of what a letter was made of. */
  #acceptedOf({ message, accepted }: Pick<LetterRemoved, "message" | "accepted">): number | undefined {
    const raw = sequenceIn(rawStage, message);
    if (raw !== undefined) return raw;
    const parsed = parseAccepted(accepted);
    return this.#isOurs(parsed) ? parsed.number : undefined;
  }

  /** Whether this CASINO_RAW gave the number, and not one of that name before it. */
  #isOurs(accepted: Accepted | undefined): accepted is Accepted {
    if (accepted === undefined || accepted.at < this.#options.raw.created) return false;
    this.#noteTime(accepted);
    return true;
  }

  #noteTime({ number, at }: Accepted): void {
    if (at >= this.#options.since && number < this.#first) this.#first = number;
  }
}

/** The sequence in `<stream>:<sequence>`, if it is that stage's stream. */
function sequenceIn(stage: string, message: string): number | undefined {
  const [stream, seq, ...rest] = message.split(":");
  return stream === stageStream(stage) && rest.length === 0 && /^[1-9]\d{0,15}$/.test(seq ?? "")
    ? Number(seq)
    : undefined;
}
