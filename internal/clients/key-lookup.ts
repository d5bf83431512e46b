import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "kysely";
import { asking, type Database } from "../postgres/connect.ts";
import { FairQueue } from "../service/fair-queue.ts";
import { isUnavailable, Unavailable } from "../service/unavailable.ts";

/** A key as stored, for checking. */
export interface KnownKey {
  readonly id: string;
  /** Null: an operator's key, good for every client. */
  readonly client: string | null;
  /** Null for an operator's key. */
  readonly source: string | null;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
  /** Since when its client is disabled. */
  readonly disabledAt: Date | null;
}

/** Looks many keys up at once. Returns the existing ones by `nameOf` their hash. Throws `Unavailable` while it cannot. */
export type FindKeys = (
  hashes: readonly Buffer[],
  signal: AbortSignal,
) => Promise<ReadonlyMap<string, KnownKey>>;

export const nameOf = (hash: Buffer): string => hash.toString("base64");

/** Looks keys up in Postgres. */
export function postgresKeys(db: Database): FindKeys {
  return async (hashes, signal) => {
    return asking(signal, async () => {
      const rows = await db
        .selectFrom("api_keys")
        .leftJoin("clients", "clients.id", "api_keys.client_id")
        .select(["hash", "api_keys.id", "client_id", "source", "expires_at", "revoked_at", "disabled_at"])
        .where(sql<boolean>`hash = any(${hashes}::bytea[])`)
        .execute({ signal });
      return new Map(
        rows.map(({ hash, id, source, ...row }) => [
          nameOf(hash),
          {
            id,
            client: row.client_id,
            source,
            expiresAt: row.expires_at,
            revokedAt: row.revoked_at,
            disabledAt: row.disabled_at,
          },
        ]),
      );
    });
  };
}

/** Most keys in one query. */
const mostAtOnce = 500;
/** Most waiting look-ups, of one owner and of all; more are refused. */
const mostOfOwner = 8_000;
const mostWaiting = 16_000;

interface Question {
  readonly hash: Buffer;
  readonly resolve: (key: KnownKey | undefined) => void;
  readonly reject: (err: unknown) => void;
}

/**
 * Runs one look-up query at a time: requests that arrive meanwhile wait, and the next query takes all of them. So a flood
 * of invented keys costs Postgres one connection and delays a look-up by a query or two; owners take turns.
 */
export class KeyLookup {
  readonly #find: FindKeys;
  readonly #patienceMs: number;
  readonly #waiting = new FairQueue<Question>();
  #running = false;

  /** @param patienceMs how long a look-up may take */
  constructor(find: FindKeys, patienceMs: number) {
    this.#find = find;
    this.#patienceMs = patienceMs;
  }

  /**
   * The key with this hash; undefined when it does not exist.
   * @param owner who asks, such as an address
   * @throws Unavailable when Postgres is away, or too many wait
   */
  ask(hash: Buffer, owner: string): Promise<KnownKey | undefined> {
    if (this.#waiting.size >= mostWaiting || this.#waiting.sizeOf(owner) >= mostOfOwner)
      return Promise.reject(new Unavailable("too many unknown keys wait to be looked up"));
    const { promise, resolve, reject } = Promise.withResolvers<KnownKey | undefined>();
    this.#waiting.push(owner, { hash, resolve, reject });
    if (!this.#running) void this.#run();
    return promise;
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (let questions = this.#take(); questions.length > 0; questions = this.#take())
      try {
        const keys = await this.#query(questions.map(({ hash }) => hash));
        for (const { hash, resolve } of questions) resolve(keys.get(nameOf(hash)));
      } catch (err) {
        for (const { reject } of questions) reject(err);
        // Nobody waits longer than one query, so those behind would wait in vain.
        if (isUnavailable(err)) for (const { reject } of this.#take(this.#waiting.size)) reject(err);
      }
    this.#running = false;
  }

  #take(most = mostAtOnce): readonly Question[] {
    const taken: Question[] = [];
    while (taken.length < most) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      taken.push(next);
    }
    return taken;
  }

  async #query(hashes: readonly Buffer[]): Promise<ReadonlyMap<string, KnownKey>> {
    const patienceMs = this.#patienceMs;
    const done = new AbortController();
    // A query that waits for a connection may not notice the signal.
    const timeout = sleep(patienceMs, undefined, { signal: done.signal }).then(() => {
      throw new Unavailable(`Postgres gave no answer within ${patienceMs / 1000} s`);
    });
    try {
      return await Promise.race([this.#find(hashes, AbortSignal.timeout(patienceMs)), timeout]);
    } finally {
      done.abort();
      timeout.catch(() => undefined);
    }
  }
}
