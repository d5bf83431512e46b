import { JetStreamApiError, type JetStreamManager } from "@nats-io/jetstream";
import { invalidOf, type SenderName } from "./events.ts";
import type { Findings } from "./findings.ts";
import type { InvalidEntry, Ledger } from "./ledger.ts";
import { invalidHeader } from "./nats-sender.ts";

const stream = "CASINO_DEAD";
const atOnce = 50;

interface Letter {
  readonly seq: number;
  /** What the sender called the message, `<sender>:<n>`; empty for a message of which no letter may exist. */
  readonly name: string;
  readonly reason: string;
  readonly payload: string;
  /** Set aside by the first step: its payload is what the producer sent. */
  readonly isOriginal: boolean;
}

/** Compares the dead letters with the invalid messages that were accepted: one for each, with its reason and bytes. */
export class LettersCheck {
  readonly #jsm: JetStreamManager;
  readonly #seed: number;
  readonly #due = new Map<string, InvalidEntry>();
  readonly #counts = new Map<string, number>();
  readonly #senders: readonly SenderName[];
  #read = 0;

  constructor(jsm: JetStreamManager, senders: readonly SenderName[], seed: number) {
    this.#jsm = jsm;
    this.#senders = senders;
    this.#seed = seed;
  }

  /** Each call looks at the letters that have come since the last one. */
  async check(ledger: Ledger): Promise<Findings> {
    const entries = ledger.takeInvalid();
    for (const entry of entries) this.#due.set(nameOf(entry), entry);
    const wrong: string[] = [];
    let doubled = 0;
    for (const letter of await this.#news()) {
      const entry = this.#due.get(letter.name);
      const count = (this.#counts.get(letter.name) ?? 0) + 1;
      this.#counts.set(letter.name, count);
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
          wrong.push(`letter ${letter.seq} is the ${count}. of message ${letter.name}, which was sent once`);
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

  async #news(): Promise<readonly Letter[]> {
    const { state } = await this.#jsm.streams.info(stream);
    const letters: Letter[] = [];
    const first = Math.max(this.#read + 1, state.first_seq);
    for (let seq = first; seq <= state.last_seq; seq += atOnce) {
      const seqs = Array.from({ length: Math.min(atOnce, state.last_seq - seq + 1) }, (_, i) => seq + i);
      const read = await Promise.all(seqs.map((each) => this.#letter(each)));
      letters.push(...read.filter((letter) => letter !== undefined));
    }
    this.#read = state.last_seq;
    return letters;
  }

  /** Past the first step a producer's own headers are gone; its source and the id remain. */
  #nameIn(source: string, payload: string): string {
    const id = Number(/^\{"id":(\d+),/.exec(payload)?.[1]);
    const sender = this.#senders.find((each) => each.source === source);
    return sender === undefined ? "" : `${sender.index}:${id}`;
  }

  async #letter(seq: number): Promise<Letter | undefined> {
    try {
      const message = await this.#jsm.streams.getMessage(stream, { seq });
      if (message === null) return undefined;
      const { header, data } = message;
      const payload = Buffer.from(data).toString();
      const name = header.get(invalidHeader) || this.#nameIn(header.get("Casino-Source"), payload);
      const [reason, step] = ["Casino-Dead-Reason", "Casino-Dead-Step"].map((each) => header.get(each));
      return { seq, name, reason: reason ?? "", payload, isOriginal: step === "currency" };
    } catch (error) {
      if (error instanceof JetStreamApiError && error.code === 10037) return undefined; // not found
      throw error;
    }
  }
}

function nameOf({ sender, n }: InvalidEntry): string {
  return `${sender.index}:${n}`;
}
