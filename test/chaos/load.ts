import { seededRandom } from "../../internal/generator/random.ts";
import type { Ledger } from "./ledger.ts";
import type { Sender } from "./sender.ts";

const tickMs = 20;

/** Phases of the load: the share of the rate, and the maximum duration. */
const moods = [
  { name: "lull", share: 0, mostMs: 1_500 },
  { name: "calm", share: 0.4, mostMs: 3_000 },
  { name: "steady", share: 1, mostMs: 4_000 },
  { name: "burst", share: 4, mostMs: 1_500 },
] as const;

/** The share of the rate that is sent during a fault after the round's events. */
const trickle = 0.1;

/** The senders together, in lulls and bursts whose order and length the seed decides. */
export class Load {
  readonly #senders: readonly Sender[];
  readonly #ledger: Ledger;
  readonly #rate: number;
  readonly #random: () => number;
  readonly #timer: NodeJS.Timeout;
  #target = 0;
  #flood = false;
  #isKeptOn = false;
  #mood: (typeof moods)[number] = moods[2];
  #moodEnds = 0;
  #last = performance.now();
  #due = 0;

  /** @param rate messages per second, all senders together, while it is steady */
  constructor(senders: readonly Sender[], ledger: Ledger, rate: number, seed: number) {
    this.#senders = senders;
    this.#ledger = ledger;
    this.#rate = rate;
    this.#random = seededRandom(seed ^ 0x10ad);
    this.#timer = setInterval(() => this.#tick(), tickMs);
  }

  /** Sends this many more events. */
  start(events: number): void {
    this.#target = this.#begun + events;
    this.#last = performance.now();
  }

  /** While it is on, the load continues slowly after the events of `start`. */
  keepOn(on: boolean): void {
    this.#isKeptOn = on;
  }

  /** How long this many events may take at most, in ms, with many lulls and on a slow machine. */
  timeFor(events: number): number {
    return 180_000 + (4_000 * events) / this.#rate;
  }

  /** Whether the events of `start` are sent. */
  get hasSentAll(): boolean {
    return this.#begun >= this.#target;
  }

  /** While it is on, sends as much as the senders take, in every phase. */
  flood(on: boolean): void {
    this.#flood = on;
  }

  /** Messages not yet accepted. */
  get unsettled(): number {
    return this.#senders.reduce((sum, sender) => sum + sender.unsettled, 0);
  }

  close(): void {
    clearInterval(this.#timer);
    for (const sender of this.#senders) sender.close();
  }

  get #begun(): number {
    return this.#ledger.pages.reduce((sum, page) => sum + page.events, 0);
  }

  get #share(): number {
    if (!this.hasSentAll) return this.#mood.share;
    return this.#isKeptOn ? trickle : 0;
  }

  #tick(): void {
    const now = performance.now();
    const elapsed = now - this.#last;
    this.#last = now;
    if (this.hasSentAll && !this.#isKeptOn && !this.#flood) return;
    if (now > this.#moodEnds) {
      this.#mood = moods[Math.floor(this.#random() * moods.length)] ?? moods[2];
      this.#moodEnds = now + this.#mood.mostMs * (0.2 + 0.8 * this.#random());
    }
    const share = this.#flood ? 20 : this.#share;
    // After a long pause of the machine, do not catch up at once.
    this.#due = Math.min(this.#due + (this.#rate * share * elapsed) / 1000, this.#rate);
    for (const [index, sender] of this.#senders.entries()) {
      const mine = Math.floor(this.#due / (this.#senders.length - index));
      sender.offer(mine);
      this.#due -= mine;
    }
  }
}
