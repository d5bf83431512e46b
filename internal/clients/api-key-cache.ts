import type { Database } from "../postgres/connect.ts";
import { forgetOldest } from "../service/forget-oldest.ts";
import { isUnavailable } from "../service/unavailable.ts";
import { hashOf, isApiKey } from "./api-key.ts";
import { type FindKeys, KeyLookup, type KnownKey, nameOf, postgresKeys } from "./key-lookup.ts";
import { isSessionToken, postgresSessions } from "./sessions.ts";

/** Times in ms. */
interface ApiKeyCacheTimes {
  /** How long a found key counts as good without another look-up: a revoked one is refused this soon. */
  readonly knownMs: number;
  /** How long it stays good while look-ups fail: the longest life of a revoked key. */
  readonly staleMs: number;
  /** How long an unknown key counts as invalid: a new one is accepted this soon. */
  readonly unknownMs: number;
  /** How often Postgres is asked again for a key while it is away. */
  readonly retryMs: number;
  /** How long any request waits for Postgres. */
  readonly patienceMs: number;
}

export const usualTimes: ApiKeyCacheTimes = {
  knownMs: 3_000,
  staleMs: 60_000,
  unknownMs: 1_000,
  retryMs: 1_000,
  patienceMs: 1_000,
};

/** Keys in memory, and as many unknown ones: guessing keys must not fill the memory. */
const mostKeys = 10_000;

/** Times on the clock of `performance.now()`. */
interface Entry {
  readonly key: KnownKey;
  /** When Postgres was asked. */
  readonly askedAt: number;
  freshUntil: number;
}

/**
 * The keys in use, each looked up again after some seconds. While Postgres is away, known keys go on working for a minute
 * without waiting. Unknown keys are looked up separately, so that a flood of them neither delays known ones nor pushes
 * them out of memory.
 */
export class ApiKeyCache {
  readonly #times: ApiKeyCacheTimes;
  readonly #known = new Map<string, Entry>();
  /** Until when unknown keys count as invalid. */
  readonly #madeUp = new Map<string, number>();
  readonly #loading = new Map<string, Promise<KnownKey | undefined>>();
  readonly #again: KeyLookup;
  readonly #first: KeyLookup;
  readonly #canBe: (text: string) => boolean;
  #away = false;

  /** @param canBe whether a text has the form of a key */
  constructor(
    find: FindKeys,
    times: Partial<ApiKeyCacheTimes> = {},
    canBe: (text: string) => boolean = isApiKey,
  ) {
    this.#canBe = canBe;
    this.#times = { ...usualTimes, ...times };
    const { patienceMs } = this.#times;
    this.#again = new KeyLookup(find, patienceMs);
    this.#first = new KeyLookup(find, patienceMs);
  }

  /**
   * What is known of a key; undefined when it does not exist. Expired and revoked ones are returned too.
   * @param from the key's origin: whoever asks for many unknown ones waits in a queue of its own
   * @throws Unavailable when it cannot be looked up, and was not within the last minute
   */
  async find(text: string, from = ""): Promise<KnownKey | undefined> {
    if (!this.#canBe(text)) return undefined;
    const hash = hashOf(text);
    const name = nameOf(hash);
    const now = performance.now();
    const entry = this.#known.get(name);
    if (entry === undefined) {
      if (now < (this.#madeUp.get(name) ?? 0)) return undefined;
      return this.#load(name, hash, this.#first, from);
    }
    if (now < entry.freshUntil) return entry.key;
    const loading = this.#load(name, hash, this.#again, "");
    const { retryMs, staleMs } = this.#times;
    const staleAt = entry.askedAt + staleMs;
    const stale = (err: unknown): KnownKey => {
      const after = performance.now();
      if (!isUnavailable(err) || after >= staleAt) throw err;
      entry.freshUntil = Math.min(after + retryMs, staleAt);
      return entry.key;
    };
    if (!this.#away || now >= staleAt) return loading.catch(stale);
    loading.catch(stale).catch(() => undefined);
    return entry.key;
  }

  #load(name: string, hash: Buffer, lookup: KeyLookup, from: string): Promise<KnownKey | undefined> {
    const running = this.#loading.get(name);
    if (running !== undefined) return running;
    const loading = this.#ask(name, hash, lookup, from).finally(() => this.#loading.delete(name));
    this.#loading.set(name, loading);
    return loading;
  }

  async #ask(name: string, hash: Buffer, lookup: KeyLookup, from: string): Promise<KnownKey | undefined> {
    const askedAt = performance.now();
    try {
      const key = await lookup.ask(hash, from);
      this.#away = false;
      this.#keep(name, key, askedAt);
      return key;
    } catch (err) {
      if (isUnavailable(err) && lookup === this.#again) this.#away = true;
      throw err;
    }
  }

  #keep(name: string, key: KnownKey | undefined, askedAt: number): void {
    const { knownMs, unknownMs } = this.#times;
    this.#known.delete(name);
    this.#madeUp.delete(name);
    const now = performance.now();
    if (key === undefined) this.#madeUp.set(name, now + unknownMs);
    else this.#known.set(name, { key, askedAt, freshUntil: now + knownMs });
    forgetOldest(this.#known, mostKeys);
    forgetOldest(this.#madeUp, mostKeys);
  }
}

/** The keys of this database, and the sessions opened with them. */
export function keysIn(db: Database) {
  const keys = new ApiKeyCache(postgresKeys(db));
  const sessions = new ApiKeyCache(postgresSessions(db), {}, isSessionToken);
  return {
    find: (key: string, from: string) => keys.find(key, from),
    session: (token: string, from: string) => sessions.find(token, from),
  };
}
