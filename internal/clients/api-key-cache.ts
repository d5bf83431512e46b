import type { Database } from "../postgres/connect.ts";
import { isUnavailable } from "../service/unavailable.ts";
import { hashOf, isApiKey } from "./api-key.ts";
import { type FindKeys, KeyLookup, type KnownKey, nameOf, postgresKeys } from "./key-lookup.ts";
import { isSessionToken, postgresSessions } from "./sessions.ts";

/** Times in ms. */
export interface ApiKeyCacheTimes {
  /** How long a key that was found is taken for granted: this soon a revoked one is refused. */
  readonly knownMs: number;
  /** How long it goes on to be good while it cannot be looked up again: so long a revoked one may live at most. */
  readonly staleMs: number;
  /** How long one that was not found is taken for made up: this soon a new one is accepted. */
  readonly unknownMs: number;
  /** While Postgres is away, how often it is asked again for a key. */
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

/** Keys kept in memory, and as many that were not found; whoever tries out keys must not fill it. */
const mostKeys = 10_000;

/** Times on the clock of `performance.now()`. */
interface Entry {
  readonly key: KnownKey;
  /** When Postgres was asked. */
  readonly askedAt: number;
  freshUntil: number;
}

/**
 * The keys in use, each looked up again when what is known of it is some seconds old. Keys that were known go on working
 * for a minute while Postgres is away, without waiting for it. Unknown keys are looked up apart, so that a flood of them
 * holds up no known one, and pushes none out of memory.
 */
export class ApiKeyCache {
  readonly #times: ApiKeyCacheTimes;
  readonly #known = new Map<string, Entry>();
  /** Until when those that were not found count as made up. */
  readonly #madeUp = new Map<string, number>();
  readonly #loading = new Map<string, Promise<KnownKey | undefined>>();
  readonly #again: KeyLookup;
  readonly #first: KeyLookup;
  readonly #canBe: (text: string) => boolean;
  #away = false;

  /** @param canBe whether a text has the form of a key at all */
  constructor(
    find: FindKeys,
    times: Partial<ApiKeyCacheTimes> = {},
    canBe: (text: string) => boolean = isApiKey,
  ) {
    this.#canBe = canBe;
    this.#times = { ...usualTimes, ...times };
    const { patienceMs } = this.#times;
    this.#again = new KeyLookup(find, { patienceMs });
    this.#first = new KeyLookup(find, { patienceMs });
  }

  /**
   * What is known of a key, undefined when there is none like it; expired and revoked ones are found too.
   * @param from where the key came from: those who ask for many unknown ones wait in a queue of their own
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
    forgetOldest(this.#known);
    forgetOldest(this.#madeUp);
  }
}

/** The keys of this database, and the sessions that were opened with them. */
export function keysIn(db: Database) {
  const keys = new ApiKeyCache(postgresKeys(db));
  const sessions = new ApiKeyCache(postgresSessions(db), {}, isSessionToken);
  return {
    find: (key: string, from: string) => keys.find(key, from),
    session: (token: string, from: string) => sessions.find(token, from),
  };
}

function forgetOldest(map: Map<string, unknown>): void {
  for (const oldest of map.keys()) {
    if (map.size <= mostKeys) break;
    map.delete(oldest);
  }
}
