import { type SenderName, whose } from "./events.ts";

const accepted = 1;
const logged = 2;
const awaited = 4;

/** One sender's page of the ledger. Its events are numbered from 1 without gaps. */
class Page {
  readonly sender: SenderName;
  /** Events begun so far. */
  events = 0;
  accepted = 0;
  logged = 0;
  flags = new Uint8Array(2 ** 12);

  constructor(sender: SenderName) {
    this.sender = sender;
  }

  mark(n: number, flag: number): boolean {
    if (n >= this.flags.length) {
      const larger = new Uint8Array(Math.max(n + 1, this.flags.length * 2));
      larger.set(this.flags);
      this.flags = larger;
    }
    const before = this.flags[n] ?? 0;
    this.flags[n] = before | flag;
    return (before & flag) === 0;
  }
}

/** An invalid message that the broker accepted. */
export interface InvalidEntry {
  readonly sender: SenderName;
  readonly n: number;
  /** Whether the first attempt was acknowledged; otherwise the stream may have stored it more than once. */
  readonly sentOnce: boolean;
}

/** The senders' counts. */
export interface Traffic {
  /** Events sent a second time on purpose, and accepted. */
  again: number;
  /** Invalid ones, refused by the gateway or accepted by the broker. */
  invalid: number;
  /** Sends that were refused or stayed without an answer, and were sent again. */
  refused: number;
}

/** Events that were accepted and not logged at some moment; `left` counts down. */
export interface Outstanding {
  left: number;
}

/**
 * The accepted events. Senders repeat each event until it is accepted, so once they rest each page is complete from 1 to its
 * end; before that, flags show each event's state.
 */
export class Ledger {
  readonly pages: readonly Page[];
  readonly traffic: Traffic = { again: 0, invalid: 0, refused: 0 };
  /** Contradictory answers. Each one fails the run. */
  readonly complaints: string[] = [];
  /** Repeated lines of the logger, which are allowed after a kill -9. */
  loggedAgain = 0;
  #invalid: InvalidEntry[] = [];
  readonly #outstanding = new Set<Outstanding>();

  constructor(senders: readonly SenderName[]) {
    this.pages = senders.map((sender) => new Page(sender));
  }

  get accepted(): number {
    return this.pages.reduce((sum, page) => sum + page.accepted, 0);
  }

  get logged(): number {
    return this.pages.reduce((sum, page) => sum + page.logged, 0);
  }

  /** The sender starts to send its nth event. */
  begin(sender: SenderName, n: number): void {
    const page = this.#page(sender.index);
    if (page !== undefined) page.events = Math.max(page.events, n);
  }

  /** The broker or the gateway has acknowledged the event. */
  accept(sender: SenderName, n: number): void {
    const page = this.#page(sender.index);
    if (page?.mark(n, accepted)) page.accepted++;
  }

  acceptInvalid(entry: InvalidEntry): void {
    this.traffic.invalid++;
    this.#invalid.push(entry);
  }

  /** The invalid messages accepted since the last call. */
  takeInvalid(): readonly InvalidEntry[] {
    const taken = this.#invalid;
    this.#invalid = [];
    return taken;
  }

  /** The logger has printed this event. */
  log(id: number): void {
    const [index, n] = whose(id);
    const page = this.#page(index);
    if (page === undefined || n < 1 || n > page.events) {
      this.complaints.push(`the logger printed event ${id}, which nobody has sent`);
      return;
    }
    if (!page.mark(n, logged)) this.loggedAgain++;
    else {
      page.logged++;
      if (((page.flags[n] ?? 0) & awaited) !== 0) for (const each of this.#outstanding) each.left--;
    }
  }

  /** The events accepted and not logged now. Only one such object is live: a new call ends the previous one. */
  outstanding(): Outstanding {
    this.#outstanding.clear();
    const now: Outstanding = { left: 0 };
    for (const page of this.pages) {
      for (let n = 1; n <= page.events; n++) {
        const flags = page.flags[n] ?? 0;
        const isOut = (flags & (accepted | logged)) === accepted;
        page.flags[n] = isOut ? flags | awaited : flags & ~awaited;
        if (isOut) now.left++;
      }
    }
    this.#outstanding.add(now);
    return now;
  }

  #page(index: number): Page | undefined {
    return this.pages[index];
  }
}
