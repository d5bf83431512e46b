import type { NatsConnection } from "nats";
import type { Config } from "../service/config.ts";
import type { Log } from "../service/log.ts";
import { RatesError } from "./answer.ts";
import { ratesApi } from "./api.ts";
import { kvCurrencies } from "./currencies.ts";
import { noLock, redisLock } from "./lock.ts";
import { kvRateCache } from "./rate-cache.ts";
import { createRates, type Rates } from "./rates.ts";

/** The variables behind `sharedRates`. */
export const rateVariables = ["RATES_URL", "RATES_API_KEY", "REDIS_URL"] as const;

/**
 * The rates, shared by all processes on one NATS and one Redis. Without RATES_URL nothing is requested and `current`
 * rejects: for an enricher whose steps need no rates.
 */
export function sharedRates(
  nc: NatsConnection,
  config: Config<(typeof rateVariables)[number] | "NATS_REPLICAS">,
  log: Log,
): Rates {
  const lock = config.REDIS_URL === undefined ? noLock : redisLock({ url: config.REDIS_URL, log });
  const rates = createRates({
    cache: kvRateCache(nc, { log, replicas: config.NATS_REPLICAS }),
    currencies: kvCurrencies(nc, { log, replicas: config.NATS_REPLICAS }),
    fetchRates:
      config.RATES_URL === undefined
        ? () => Promise.reject(new RatesError("RATES_URL is not set"))
        : ratesApi({ url: config.RATES_URL, accessKey: config.RATES_API_KEY }),
    lock,
    log,
  });
  return {
    ...rates,
    async close() {
      await rates.close();
      await lock.close();
    },
  };
}
