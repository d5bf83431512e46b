import { Redis } from "ioredis";
import { sql } from "kysely";
import { connectPostgres, whyAway } from "../postgres/connect.ts";
import { sqlState } from "../postgres/sql-state.ts";
import { ratesApi } from "../rates/api.ts";
import { type Config, ConfigError } from "../service/config.ts";
import { reasonOf, withoutPassword } from "../service/log.ts";
import { Refused } from "../service/unavailable.ts";
import { silent, untilThere, type Watcher } from "./attempt.ts";
import { type Fitted, type NatsNeeds, tryNats } from "./nats.ts";

/** The servers that somebody named; those that are not named are not tried. */
type Named = Partial<
  Config<"NATS_URL" | "NATS_CREDS" | "DATABASE_URL" | "REDIS_URL" | "RATES_URL" | "RATES_API_KEY">
>;

/**
 * Tries each server once before anything is started, all at the same time. Waits for a NATS and a Postgres that are
 * away, for ever, and says so once.
 * @returns limits of streams that fit where the usual ones do not
 * @throws ConfigError with a sentence for each that does not let us in or cannot do what we need
 */
export async function tryServers(
  named: Named,
  needs: Pick<NatsNeeds, "limits" | "isSet" | "stages">,
  watcher: Watcher,
): Promise<Fitted> {
  const { NATS_URL, NATS_CREDS, DATABASE_URL, REDIS_URL } = named;
  const over = new AbortController();
  const refused: string[] = [];
  // One that refuses us is reason enough not to wait for another.
  const signal = AbortSignal.any([watcher.signal, over.signal]);
  const attempt = async <T>(run: (watcher: Watcher) => Promise<T>): Promise<T | undefined> => {
    try {
      return await run({ ...watcher, signal });
    } catch (err) {
      if (err instanceof Refused) {
        refused.push(err.message);
        // Others that answer at all do so at once.
        setTimeout(() => over.abort(err), 1_000).unref();
      } else if (!over.signal.aborted || watcher.signal.aborted) throw err;
      return undefined;
    }
  };
  const [fitted] = await Promise.all([
    NATS_URL === undefined
      ? undefined
      : attempt((to) => tryNats({ ...needs, config: { NATS_URL, NATS_CREDS } }, to)),
    DATABASE_URL === undefined ? undefined : attempt((to) => tryPostgres(DATABASE_URL, to)),
    REDIS_URL === undefined ? undefined : attempt((to) => tryRedis(REDIS_URL, to)),
    attempt((to) => tryRates(named, to)),
  ]);
  if (refused.length > 0) throw new ConfigError(refused);
  return fitted ?? {};
}

/** Tries the rates API. Many events flow without it, so it reports an absent one and does not wait. @throws Refused */
async function tryRates({ RATES_URL, RATES_API_KEY }: Named, { say, signal }: Watcher): Promise<void> {
  if (RATES_URL === undefined) return;
  try {
    await ratesApi({ url: RATES_URL, accessKey: RATES_API_KEY, timeout: 3_000 })(signal);
  } catch (err) {
    signal.throwIfAborted();
    const why = reasonOf(err);
    if (/\b40[13]\b/.test(why))
      throw new Refused(`${why}: check RATES_URL and RATES_API_KEY`, { cause: err });
    say(`${why}: events that need a rate wait until it answers`);
  }
}

/** Wrong password, no such role or database, no right to connect (Postgres manual, appendix A). */
const refusals = ["28P01", "28000", "3D000", "42501"];

/** Tries a Postgres. @throws Refused when it does not let us in */
async function tryPostgres(url: string, watcher: Watcher): Promise<void> {
  const where = `Postgres at ${withoutPassword(url)}`;
  await using db = connectPostgres(url, "up", silent, { max: 1 });
  await untilThere(
    where,
    async () => {
      try {
        await sql`select 1`.execute(db, { signal: watcher.signal });
      } catch (err) {
        if (err instanceof Error && refusals.includes(sqlState(err) ?? ""))
          throw new Refused(`${where} refuses us: ${err.message}: check DATABASE_URL`, { cause: err });
        throw err instanceof Error ? new Error(whyAway(err), { cause: err }) : err;
      }
    },
    watcher,
  );
}

const refusal = /^(?:NOAUTH|WRONGPASS|NOPERM|ERR invalid password|ERR AUTH)/;

/** Tries Redis. Everything works without it, so it reports an absent one and does not wait. @throws Refused */
async function tryRedis(url: string, { say, signal }: Watcher): Promise<void> {
  const where = `Redis at ${withoutPassword(url)}`;
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null, connectTimeout: 3_000 });
  // What it says there the failed command says too.
  redis.on("error", () => undefined);
  try {
    await redis.connect();
    await redis.ping();
  } catch (err) {
    signal.throwIfAborted();
    const why = reasonOf(err);
    if (refusal.test(why)) throw new Refused(`${where} refuses us: ${why}: check REDIS_URL`, { cause: err });
    say(`${where} is away (${why}): everything goes on without it, and takes it up once it answers`);
  } finally {
    redis.disconnect();
  }
}
