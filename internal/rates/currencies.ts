import { jetstream } from "@nats-io/jetstream";
import type { NatsConnection } from "nats";
import { marketCurrencies } from "../casino/money.ts";
import { hasCode, outrun } from "../jetstream/api-error.ts";
import { openBucket } from "../jetstream/bucket.ts";
import { isObject, readJson } from "../service/json.ts";
import type { Log } from "../service/log.ts";
import type { Answer } from "./answer.ts";
import { outage } from "./outage.ts";

/** What counts of an answer here. */
type Named = Pick<Answer, "rates" | "leftOut">;

/** For how long, in ms, events wait for a currency that the answers no longer have. */
export const missingPatience = 24 * 3600 * 1000;

/** The currencies that answers have had, and since when, in epoch ms, the latest answers lack some of them. */
export interface Currencies {
  readonly present: ReadonlySet<string>;
  readonly missing: ReadonlyMap<string, number>;
}

/**
 * What is known after one more answer. A currency whose rate it leaves out is missing too: the API has that currency. One
 * that is missing for more than a day is forgotten, as if no answer had ever had it, unless answers still name it.
 *
 * @param at when the API was asked, in epoch ms
 */
export function afterAnswer({ present, missing }: Currencies, answer: Named, at: number): Currencies {
  const has = (code: string) => answer.rates.has(code);
  const leftOut = new Set(answer.leftOut.filter((code) => marketCurrencies.has(code)));
  const since = new Map([
    ...[...present, ...leftOut].map((code) => [code, at] as const),
    // With a clock that was ahead, events would wait longer.
    ...[...missing].map(([code, time]) => [code, Math.min(time, at)] as const),
  ]);
  const absent = [...since].filter(([code, time]) => !has(code) && (leftOut.has(code) || isRecent(time, at)));
  return { present: new Set([...marketCurrencies].filter(has).sort()), missing: new Map(absent.sort()) };
}

/** Those that are missing for less than a day. */
function waitedFor({ missing }: Currencies, at: number): ReadonlyMap<string, number> {
  return new Map([...missing].filter(([, since]) => isRecent(since, at)));
}

function isRecent(since: number, at: number): boolean {
  return at - since < missingPatience;
}

/** Remembers what answers have had, for all processes and across restarts. */
export type CurrencyMemory = ReturnType<typeof kvCurrencies>;

interface KvCurrenciesOptions {
  readonly log: Log;
  readonly replicas: number;
  /** Limit in ms on each request to the bucket; default 2 s. */
  readonly timeout?: number;
}

const bucketName = "casino_currencies";
const key = "EUR";
const maxBytes = 1024 * 1024;
/** Another writer at the same time is met once or twice. */
const mostAttempts = 5;

/** The memory in the NATS KV bucket `casino_currencies`, created when missing and written only when something changes. */
export function kvCurrencies(nc: NatsConnection, options: KvCurrenciesOptions) {
  const { log, replicas, timeout = 2_000 } = options;
  const js = jetstream(nc, { timeout });
  const away = outage(log, "the memory of currencies in NATS", "currencies that an answer lacks wait");
  let lastKnown: Currencies | undefined;

  const noteInBucket = async (answer: Named, at: number): Promise<Currencies> => {
    const kv = await openBucket(js, bucketName, {
      description: "which currencies the rates API has ever known",
      replicas,
      ttl: 0,
      maxBytes,
    });
    for (let attempt = 1; ; attempt++) {
      const entry = await kv.get(key);
      const text = entry?.operation === "PUT" ? entry.string() : "";
      const known = afterAnswer(decodeCurrencies(text), answer, at);
      const changed = JSON.stringify({
        present: [...known.present],
        missing: Object.fromEntries(known.missing),
      });
      if (changed === text) return known;
      try {
        await kv.put(key, changed, { previousSeq: entry?.revision ?? 0 });
        return known;
      } catch (error) {
        if (!hasCode(error, outrun) || attempt === mostAttempts) throw error;
      }
    }
  };

  return {
    /**
     * Records an answer. Never rejects: while earlier answers are unknown, everything that this one lacks counts as missing
     * from now on, so that events wait.
     * @param at when the API was asked, in epoch ms
     * @returns what the answer lacks or leaves out and the API has, and since when, as long as events wait for it
     */
    async note(answer: Named, at: number): Promise<ReadonlyMap<string, number>> {
      try {
        lastKnown = await noteInBucket(answer, at);
        away.over();
      } catch (error) {
        away.began(error);
        lastKnown = afterAnswer(lastKnown ?? { present: marketCurrencies, missing: new Map() }, answer, at);
      }
      return waitedFor(lastKnown, at);
    },
  };
}

/** Anything unreadable counts as nothing: anybody may write to a bucket. */
function decodeCurrencies(text: string): Currencies {
  const known = readJson(text);
  const value = isObject(known) ? known : {};
  const present = Array.isArray(value.present) ? value.present.map(String) : [];
  const missing = Object.entries(Object(value.missing)).map(
    ([code, since]) => [code, Number(since)] as const,
  );
  return {
    present: new Set(present.filter((code) => marketCurrencies.has(code))),
    missing: new Map(missing.filter(([code, since]) => marketCurrencies.has(code) && since > 0)),
  };
}
