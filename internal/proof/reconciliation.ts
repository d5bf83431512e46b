import type { StoredMessage } from "../jetstream/stored-message.ts";
import type { StreamState } from "../jetstream/stream-state.ts";
import {
  type AcceptedNumber,
  acceptedHeader,
  numberForm,
  parseAccepted,
  readRanges,
} from "../messages/accepted.ts";
import { mostEventsPerBundle } from "../messages/bundle.ts";
import type { Copy } from "../messages/copies.ts";
import { replaysHeader } from "../messages/envelope.ts";
import { type EventKey, eventOf, keyText } from "../messages/event-key.ts";
import type { FinalHead } from "../messages/final-event.ts";
import type { LetterRecord } from "../messages/ledger.ts";
import type { LetterHead } from "../messages/letter.ts";
import { deadStream, destinationOf, finalStage, isBundleSubject, rawStage } from "../messages/subjects.ts";
import { bundledIn } from "./bundled.ts";
import { type Disposition, type DispositionSum, Dispositions } from "./dispositions.ts";
import { IdSet } from "./id-set.ts";
import { Names } from "./names.ts";
import { Numbering } from "./numbering.ts";
import { dispositionByLedger, type Repeat, Replays, sequenceIn } from "./replays.ts";

export interface ReconciliationOptions {
  /** CASINO_RAW when the reading began: what it accepts later is not considered. */
  readonly raw: StreamState;
  /** How long CASINO_EVENTS remembers ids, in ms: a copy is dropped within this time after its original was stored. */
  readonly windowMs: number;
  /** From which time on everything must still be there, in ms since the epoch; 0 = from the beginning. */
  readonly since: number;
  /** Records of the ledger from this sequence on were written during the reading. */
  readonly ledgerBefore: number;
  /** How many of a kind are named. */
  readonly names: number;
}

/** A message of CASINO_EVENTS, by its headers. */
export interface FinalMessage extends FinalHead {
  readonly seq: number;
}

/** What became of the accepted events. */
export interface Closing {
  /** From this number on, events are accounted for one by one. */
  readonly first: number;
  readonly sum: DispositionSum;
  readonly lost: Names;
  /** Replayed letters whose recorded place holds something else. */
  readonly swallowed: Names;
  /** Letters whose bytes are partly gone. */
  readonly cut: Names;
  /** Whether numbers of two streams called CASINO_RAW were met that cannot be told apart. */
  readonly isAmbiguous: boolean;
  /** Whether numbers of an earlier CASINO_RAW were met. */
  readonly isSuccessor: boolean;
}

/**
 * Reconciles the accepted events, one by one, by their numbers. Feed it upstream before downstream, so that an event that
 * moves meanwhile is met at least once.
 */
export class Reconciliation {
  /** The events in CASINO_EVENTS. */
  readonly events = new IdSet();
  /** Final events that are there twice though they were accepted once. */
  readonly doubled: Names;
  /** Messages of CASINO_EVENTS, or of queues after the first, without a valid accepted number. */
  readonly strangers: Names;
  /** Final events that producers sent again after the duplicate window, by client. */
  readonly sentTwice = new Map<string, number>();
  /** Final events that are there again because a dead letter was replayed. */
  readonly replayed: Names;
  /** Sequences of CASINO_EVENTS that the archiver set aside. */
  readonly refused = new Set<number>();
  readonly #options: ReconciliationOptions;
  readonly #numbering: Numbering;
  readonly #dispositions: Dispositions;
  readonly #replays = new Replays();
  /** Copies whose originals have not been met yet. */
  readonly #copies: Copy[] = [];
  readonly #repeats: Repeat[] = [];
  /** Final events accepted since the reading began, if they were accepted at all. */
  readonly #younger: { readonly number: number; readonly name: string }[] = [];
  /** Existing parts of letters, and those that letters name, with the letter. */
  readonly #parts = new Set<number>();
  readonly #partsNamed = new Map<number, number>();
  readonly #moving: AcceptedNumber[] = [];

  constructor(options: ReconciliationOptions) {
    this.#options = options;
    this.#numbering = new Numbering(options.raw, options.since);
    this.#dispositions = new Dispositions(options.raw.lastSeq);
    this.doubled = new Names(options.names);
    this.strangers = new Names(options.names);
    this.replayed = new Names(options.names);
  }

  /** A message that waits in CASINO_RAW, with all its events. @param lines how many, where it was read */
  waitingAtFirst(seq: number, lines?: number): void {
    this.#dispositions.add({ number: seq }, "waiting");
    if (lines !== undefined) this.#dispositions.add({ number: seq, line: 1, lines }, "waiting");
  }

  /** A message that waits in a later queue: one event, or a bundle. */
  waiting(message: StoredMessage): void {
    const name = `${message.stream} ${message.seq}`;
    if (isBundleSubject(message.subject)) {
      const { numbers, strangers } = bundledIn(message);
      if (message.storedAt >= this.#options.raw.created)
        for (const number of numbers) this.#add(number, "waiting", name);
      for (const line of strangers) this.strangers.add(`${name}, line ${line}`);
      return;
    }
    const { headers } = message;
    const accepted = parseAccepted(headers.get(acceptedHeader));
    if (accepted === undefined) this.strangers.add(name);
    else if (this.#numbering.isOurs(accepted)) {
      this.#add(accepted, "waiting", name);
      if (headers.get(replaysHeader) !== "") this.#replays.says(accepted.number);
    }
  }

  /** A message of CASINO_EVENTS. @returns whether it is the first of its event */
  final({ seq, key, accepted, replayOf, wasReplayed }: FinalMessage): boolean {
    this.#replays.final(seq, replayOf);
    const isNew = key !== undefined && this.events.add(key.client, key.source, key.id);
    const name = () => `${key === undefined ? "no event" : keyText(key)} (CASINO_EVENTS ${seq})`;
    if (accepted === undefined || !this.#dispositions.fits(accepted)) this.strangers.add(name());
    else if (this.#numbering.isOurs(accepted)) {
      const { number } = accepted;
      if (wasReplayed) this.#replays.says(number);
      if (number > this.#options.raw.lastSeq) this.#younger.push({ number, name: name() });
      if (this.#dispositions.add(accepted, "final")) this.#countRepeat(isNew, key);
      else if (replayOf === undefined && !wasReplayed) this.doubled.add(name());
      else this.#repeats.push({ seq, replayOf, accepted, name: name() });
    } else this.#countRepeat(isNew, key);
    return isNew;
  }

  #countRepeat(isNew: boolean, key: EventKey | undefined): void {
    if (isNew || key === undefined) return;
    this.sentTwice.set(key.client, (this.sentTwice.get(key.client) ?? 0) + 1);
  }

  /** A letter of CASINO_DEAD. */
  letter(letter: LetterHead): void {
    this.#replays.letter(letter.seq);
    for (const part of letter.parts) this.#partsNamed.set(part, letter.seq);
    if (destinationOf(letter.step) !== undefined) return; // a failed delivery: its event is final
    const refused = sequenceIn(finalStage, letter.message);
    if (refused !== undefined) this.refused.add(refused);
    for (const accepted of this.#acceptedOf(letter)) {
      if (letter.replays > 0) this.#replays.says(accepted.number);
      if (refused === undefined) this.#add(accepted, "dead", `${deadStream} ${letter.seq}`);
    }
  }

  /** Bytes of a letter that did not fit into it. They are stored before it and removed after it. */
  part(seq: number): void {
    this.#parts.add(seq);
  }

  /** An event that CASINO_EVENTS dropped. */
  copy(copy: Copy): void {
    if (!this.#settleCopy(copy)) this.#copies.push(copy);
  }

  record(record: LetterRecord, seq: number): void {
    // A letter about to be replayed still exists, or has a later record.
    if (record.kind === "replaying" || destinationOf(record.step) !== undefined) return;
    if (record.kind === "replayed") this.#replays.sent(record);
    const refused = sequenceIn(finalStage, record.message);
    if (refused !== undefined) {
      this.refused.add(refused);
      return;
    }
    const disposition = dispositionByLedger(record);
    for (const accepted of this.#acceptedOf(record)) {
      if (disposition !== undefined) this.#add(accepted, disposition, `CASINO_LEDGER ${seq}`);
      else {
        if (record.kind === "replayed") this.#replays.sentBack(accepted);
        // It has moved to where it may have been looked for too early.
        if (seq >= this.#options.ledgerBefore) this.#moving.push(accepted);
      }
    }
  }

  /** Draws the line under it; nothing may be added afterwards.
   * @param lastAccepted how many CASINO_RAW has accepted by the end of the reading
   * @param firstLetter the first sequence that CASINO_DEAD still has by then: what is before it went by its limits
   */
  close(lastAccepted: number, firstLetter = 0): Closing {
    for (const { number, name } of this.#younger) if (number > lastAccepted) this.strangers.add(name);
    const { raw, names } = this.#options;
    // Sent back up the pipeline during the reading: looked for too late there, and too early here.
    for (const event of this.#moving)
      if (!this.#dispositions.isKnown(event)) this.#dispositions.add(event, "moving");
    const orphans = new Map<string, string>();
    for (const dropped of this.#copies)
      if (!this.#settleCopy(dropped))
        orphans.set(
          dropped.accepted.slice(0, dropped.accepted.indexOf(" ")),
          ` (dropped as a copy of ${dropped.event}, which is nowhere)`,
        );
    for (const repeat of this.#repeats)
      (this.#replays.explains(repeat, this.#dispositions) ? this.replayed : this.doubled).add(repeat.name);
    const { first, isAmbiguous, isSuccessor } = this.#numbering;
    const sum = this.#dispositions.sum(first, names);
    const lost = new Names(names);
    for (const number of sum.firstUnknown.map(numberForm))
      lost.add(`${raw.stream} ${number}${orphans.get(number) ?? ""}`);
    lost.count = sum.unknown;
    const cut = new Names(names);
    for (const [part, letter] of this.#partsNamed)
      if (part >= firstLetter && !this.#parts.has(part))
        cut.add(`${deadStream} ${letter} (its part ${part})`);
    const swallowed = this.#replays.swallowed(this.#dispositions, names);
    return { first, sum, lost, swallowed, cut, isAmbiguous, isSuccessor };
  }

  #add(accepted: AcceptedNumber, disposition: Disposition, name: string): void {
    if (this.#dispositions.fits(accepted)) this.#dispositions.add(accepted, disposition);
    else this.strangers.add(name);
  }

  /**
   * A copy is accounted for when the event it is a copy of is; one that is somewhere itself was a copy of itself, having
   * come twice. @returns false when neither has been met yet
   */
  #settleCopy({ accepted, event }: Copy): boolean {
    const parsed = parseAccepted(accepted);
    if (!this.#numbering.isOurs(parsed) || this.#dispositions.isKnown(parsed)) return true;
    const { since, windowMs } = this.#options;
    const mayBeForgotten = since > 0 && parsed.at < since + windowMs;
    const key = eventOf(event);
    const isThere = key !== undefined && this.events.has(key.client, key.source, key.id);
    if (mayBeForgotten || isThere) this.#add(parsed, "copy", `the record of a copy of ${event}`);
    return mayBeForgotten || isThere;
  }

  /** The numbers that a letter is about: one, or several for an unreadable bundle. */
  #acceptedOf({ message, accepted }: Pick<LetterRecord, "message" | "accepted">): readonly AcceptedNumber[] {
    const parsed = parseAccepted(accepted);
    if (parsed !== undefined) return this.#numbering.isOurs(parsed) ? [parsed] : [];
    const raw = sequenceIn(rawStage, message);
    return raw === undefined ? (readRanges(accepted, mostEventsPerBundle) ?? []) : [{ number: raw }];
  }
}
