import { setTimeout as sleep } from "node:timers/promises";
import { headers, type Msg, type NatsConnection } from "nats";
import { waitFor } from "../../harness/wait-for.ts";
import type { SenderName } from "../events.ts";
import { type Attack, attackOf } from "./attacks.ts";

/**
 * The answer she received: stored, refused, or none in time (it may be stored). With another reply subject, or a subject on
 * which she may not publish, she receives nothing (`unheard`).
 */
export type Answer = "stored" | "refused" | "unanswered" | "unheard";

/** A message that she has sent. */
export interface Sent extends Pick<Attack, "kind" | "finals" | "letters"> {
  readonly answer: Answer;
  /** Its sequence in CASINO_RAW; undefined unless it is known to be stored. */
  readonly seq?: number;
}

const tickMs = 50;
const mostWaiting = 100;
const answerWithinMs = 10_000;

/** A hostile producer with an account of its own. It sends every message once, whatever the answer. */
export class Mallory {
  readonly sent: Sent[] = [];
  readonly #nc: NatsConnection;
  readonly #seed: number;
  readonly #rate: number;
  readonly #victims: readonly SenderName[];
  readonly #timer: NodeJS.Timeout;
  #isAtIt = false;
  #due = 0;
  #n = 0;
  #waiting = 0;

  /** @param rate messages per second */
  constructor(nc: NatsConnection, seed: number, rate: number, victims: readonly SenderName[]) {
    this.#nc = nc;
    this.#seed = seed;
    this.#rate = rate;
    this.#victims = victims;
    this.#timer = setInterval(() => this.#tick(), tickMs);
  }

  start(): void {
    this.#isAtIt = true;
  }

  /** Stops her. Resolves when each of her messages has an answer or has timed out. */
  async rest(): Promise<void> {
    this.#isAtIt = false;
    await waitFor(() => this.#waiting === 0, { timeout: 2 * answerWithinMs, what: "answers to the hostile" });
    // The server has everything published before this, unless it is away: then the client still holds it.
    await Promise.race([this.#nc.flush(), sleep(answerWithinMs, undefined, { ref: false })]);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    if (!this.#isAtIt) return;
    this.#due = Math.min(this.#due + (this.#rate * tickMs) / 1000, this.#rate);
    for (; this.#due >= 1 && this.#waiting < mostWaiting; this.#due--) void this.#send();
  }

  async #send(): Promise<void> {
    const attack = attackOf(this.#seed, ++this.#n, this.#victims);
    this.#waiting++;
    const { kind, finals, letters } = attack;
    this.sent.push({ kind, finals, letters, ...(await this.#answerTo(attack)) });
    this.#waiting--;
  }

  async #answerTo(attack: Attack): Promise<Pick<Sent, "answer" | "seq">> {
    const { subject, payload, reply } = attack;
    const given = headers();
    for (const [name, value] of Object.entries(attack.headers)) given.set(name, value);
    if (reply !== undefined || attack.finals.length + attack.letters === 0) {
      this.#nc.publish(subject, payload, { headers: given, ...(reply === undefined ? {} : { reply }) });
      return { answer: "unheard" };
    }
    try {
      return read(await this.#nc.request(subject, payload, { headers: given, timeout: answerWithinMs }));
    } catch {
      return { answer: "unanswered" };
    }
  }
}

function read(message: Msg): Pick<Sent, "answer" | "seq"> {
  const { seq, error } = message.json<{ seq?: number; error?: object }>(); // a PubAck
  return seq === undefined || error !== undefined ? { answer: "refused" } : { answer: "stored", seq };
}
