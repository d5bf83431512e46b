import { ratesApi } from "../rates/api.ts";
import { type Config, ConfigError } from "../service/config.ts";
import { reasonOf } from "../service/log.ts";
import { Refused } from "../service/unavailable.ts";
import type { Watcher } from "./attempt.ts";
import { type Fitted, type NatsNeeds, tryNats } from "./nats.ts";
import { tryPostgres } from "./postgres.ts";
import { tryRedis } from "./redis.ts";

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
