import { randomBytes } from "node:crypto";
import type { NatsConnection } from "nats";
import type { ReceivedHeaders } from "../jetstream/wire-headers.ts";
import { FairQueue } from "../service/fair-queue.ts";
import { forgetOldest } from "../service/forget-oldest.ts";
import { isReplays, replaysHeader } from "./envelope.ts";
import { type LetterRecord, lastRecordOf } from "./ledger.ts";
import { clientOf, isRawSubject } from "./subjects.ts";

/**
 * Header of a dead letter replayed to the first stage: which letter it was, and a token that only the ledger knows.
 * Anybody may write headers there, so a claimed number of replays counts only when the ledger confirms it.
 */
export const replayHeader = "Casino-Replay";

/** The header's value. */
export function claimText(letter: number, token: string): string {
  return `${letter}:${token}`;
}

/** A random token that nobody can guess. */
export function newToken(): string {
  return randomBytes(16).toString("hex");
}

const form = /^([1-9]\d{0,15}):([0-9a-f]{32})$/;

/** Whether a message's claim has to be checked in the ledger. */
export function claimsReplay(subject: string, headers: ReceivedHeaders): boolean {
  return isRawSubject(subject) && headers.get(replayHeader) !== "";
}

/** How many look-ups run at a time. */
const mostLookUps = 16;
const mostRemembered = 1_024;

/** A look-up that has not started: further requests for the same letter share its answer. */
interface LookUp {
  readonly key: string;
  readonly letter: number;
  readonly resolve: (record: LetterRecord | undefined) => void;
  readonly reject: (err: unknown) => void;
}

interface Claimant {
  readonly subject: string;
  readonly headers: ReceivedHeaders;
}

/**
 * Tells how often messages were replayed. Producers may claim anything, any number of times, so claims must cost little:
 * claims of one client about one letter share a look-up, clients take turns, and results are cached by client and whole
 * claim. They are not cached by letter: a true claim may follow invented ones, and its record may be written after those
 * were looked up.
 */
export class ReplayClaims {
  readonly #nc: NatsConnection;
  readonly #queue = new FairQueue<LookUp>();
  readonly #queued = new Map<string, Promise<LetterRecord | undefined>>();
  #underWay = 0;
  /** By client and claim; least recently used first. */
  readonly #found = new Map<string, string | undefined>();

  constructor(nc: NatsConnection) {
    this.#nc = nc;
  }

  /**
   * How often the event in a message was replayed from the dead letters; undefined = never. After the first stage the
   * header is the pipeline's own; at the first stage the ledger is asked. @throws Unavailable
   */
  async replaysOf({ subject, headers }: Claimant): Promise<string | undefined> {
    if (!isRawSubject(subject)) {
      const text = headers.get(replaysHeader);
      return isReplays(text) ? text : undefined;
    }
    const claim = headers.get(replayHeader);
    const [, letter, token] = form.exec(claim) ?? [];
    if (letter === undefined) return undefined;
    const client = clientOf(subject);
    const key = `${client} ${claim}`;
    if (this.#found.has(key)) return this.#remember(key, this.#found.get(key));
    const record = await this.#lastRecord(client, Number(letter));
    const isConfirmed = record?.token === token && record?.client === client;
    return this.#remember(
      key,
      isConfirmed && record.replays !== undefined ? String(record.replays) : undefined,
    );
  }

  #remember(key: string, replays: string | undefined): string | undefined {
    this.#found.delete(key);
    this.#found.set(key, replays);
    forgetOldest(this.#found, mostRemembered);
    return replays;
  }

  /** The ledger's record at some time after this call: a running look-up may have read before the claim's record. */
  #lastRecord(client: string, letter: number): Promise<LetterRecord | undefined> {
    const key = `${client} ${letter}`;
    const queued = this.#queued.get(key);
    if (queued !== undefined) return queued;
    const { promise, resolve, reject } = Promise.withResolvers<LetterRecord | undefined>();
    this.#queued.set(key, promise);
    this.#queue.push(client, { key, letter, resolve, reject });
    // Delayed, so that claims that arrive together share it.
    queueMicrotask(() => this.#begin());
    return promise;
  }

  #begin(): void {
    while (this.#underWay < mostLookUps) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      this.#underWay++;
      this.#queued.delete(next.key);
      void lastRecordOf(this.#nc, next.letter)
        .then(({ record }) => next.resolve(record), next.reject)
        .finally(() => {
          this.#underWay--;
          this.#begin();
        });
    }
  }
}
