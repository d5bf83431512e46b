import { setTimeout as sleep } from "node:timers/promises";
import { asUnavailable, type Database } from "../postgres/connect.ts";
import { isUnavailable, Unavailable } from "../unavailable.ts";
import { hashOf, isApiKey } from "./api-key.ts";

/** A key as it is known to those who check it. */
export interface KnownKey {
  readonly id: string;
  /** Null: an operator's key, good for every client. */
  readonly client: string | null;
  /** Null for an operator's key. */
  readonly source: string | null;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
}

/** How keys are looked up: undefined where there is none. Throws `Unavailable` while that cannot be said. */
export type FindKey = (hash: Buffer, signal: AbortSignal) => Promise<KnownKey | undefined>;

/** Looks keys up in Postgres. */
export function postgresKeys(db: Database): FindKey {
  return async (hash, signal) => {
    try {
      const row = await db
        .selectFrom("api_keys")
        .select(["id", "client_id", "source", "expires_at", "revoked_at"])
        .where("hash", "=", hash)
        .executeTakeFirst({ signal });
      if (row === undefined) return undefined;
      const { id, client_id: client, source, expires_at: expiresAt, revoked_at: revokedAt } = row;
      return { id, client, source, expiresAt, revokedAt };
    } catch (err) {
      throw asUnavailable(err);
    }
  };
}

interface Entry {
  readonly key: KnownKey | undefined;
  /** On the clock of `performance.now()`. */
  freshUntil: number;
}

/** Times in ms. */
export interface KeyRingTimes {
  /** How long a key that was found is taken for granted: this soon a revoked one is refused. */
  readonly knownMs: number;
  /** The same for one that was not found: this soon a new one is accepted. */
  readonly unknownMs: number;
  /** While Postgres is away, how often it is asked again for a key. */
  readonly retryMs: number;
  /** How long any request waits for Postgres. */
  readonly patienceMs: number;
}

const usualTimes: KeyRingTimes = { knownMs: 3_000, unknownMs: 1_000, retryMs: 1_000, patienceMs: 1_000 };

/** Keys kept in memory; whoever tries out keys must not fill it. */
const mostKeys = 10_000;

/**
 * The keys in use, each looked up again when what is known of it is some seconds old. Keys that were known go on working
 * while Postgres is away, without waiting for it.
 */
export class KeyRing {
  readonly #find: FindKey;
  readonly #times: KeyRingTimes;
  readonly #entries = new Map<string, Entry>();
  readonly #loading = new Map<string, Promise<KnownKey | undefined>>();
  #away = false;

  constructor(find: FindKey, times: Partial<KeyRingTimes> = {}) {
    this.#find = find;
    this.#times = { ...usualTimes, ...times };
  }

  /**
   * What is known of a key, undefined when there is none like it; expired and revoked ones are found too.
   * @throws Unavailable when Postgres is away and the key was not known before.
   */
  async find(text: string): Promise<KnownKey | undefined> {
    if (!isApiKey(text)) return undefined;
    const hash = hashOf(text);
    const name = hash.toString("base64");
    const entry = this.#entries.get(name);
    if (entry !== undefined && performance.now() < entry.freshUntil) return entry.key;
    const loading = this.#load(name, hash);
    if (entry?.key === undefined) return loading;
    const stale = (err: unknown): KnownKey | undefined => {
      if (!isUnavailable(err)) throw err;
      entry.freshUntil = performance.now() + this.#times.retryMs;
      return entry.key;
    };
    if (!this.#away) return loading.catch(stale);
    loading.catch(stale).catch(() => undefined);
    return entry.key;
  }

  #load(name: string, hash: Buffer): Promise<KnownKey | undefined> {
    const running = this.#loading.get(name);
    if (running !== undefined) return running;
    const loading = this.#ask(name, hash).finally(() => this.#loading.delete(name));
    this.#loading.set(name, loading);
    return loading;
  }

  async #ask(name: string, hash: Buffer): Promise<KnownKey | undefined> {
    const { patienceMs } = this.#times;
    const done = new AbortController();
    // The query may not notice the signal while it waits for a connection.
    const timeout = sleep(patienceMs, undefined, { signal: done.signal }).then(() => {
      throw new Unavailable(`Postgres gave no answer within ${patienceMs / 1000} s`);
    });
    try {
      const key = await Promise.race([this.#find(hash, AbortSignal.timeout(patienceMs)), timeout]);
      this.#away = false;
      this.#keep(name, key);
      return key;
    } catch (err) {
      if (isUnavailable(err)) this.#away = true;
      throw err;
    } finally {
      done.abort();
      timeout.catch(() => undefined);
    }
  }

  #keep(name: string, key: KnownKey | undefined): void {
    const { knownMs, unknownMs } = this.#times;
    this.#entries.delete(name);
    this.#entries.set(name, {
      key,
      freshUntil: performance.now() + (key === undefined ? unknownMs : knownMs),
    });
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= mostKeys) break;
      this.#entries.delete(oldest);
    }
  }
}
