import type { Log } from "../service/log.ts";
import { missingPatience } from "./currencies.ts";
import type { RateSnapshot } from "./rate-snapshot.ts";

const hour = 3600 * 1000;
const day = 24 * hour;
/** Age, in ms, as the API states it, at which somebody should look. */
const oldAge = 7 * day;

/** What looks wrong about rates that are used all the same, one sentence each with the next move. */
export function warningsOf({ missing, leftOut, asOf, fetchedAt }: RateSnapshot): readonly string[] {
  const warnings: string[] = [];
  if (missing.size > 0) {
    const codes = [...missing].map(([code, since]) => `${code} (since ${new Date(since).toISOString()})`);
    warnings.push(
      `The rates API has no rate any more for ${listOf(codes)}: events in it wait, for ${missingPatience / hour} hours at most, and then become dead letters (unsupported_currency). Ask its provider, or take another RATES_URL.`,
    );
  }
  if (leftOut.length > 0)
    warnings.push(`The rates API gives no usable rate for ${listOf(leftOut)}, which counts as absent.`);
  if (asOf !== undefined && fetchedAt - asOf > oldAge)
    warnings.push(
      `The rates are used although they are of ${new Date(asOf).toISOString().slice(0, 10)} by the API's own words, more than a week old. Ask its provider, or take another RATES_URL.`,
    );
  return warnings;
}

const mostNamed = 10;

function listOf(codes: readonly string[]): string {
  const more = codes.length - mostNamed;
  return codes.slice(0, mostNamed).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

/** Logs each warning when it comes, once a day while it stays, and when it is over. */
export class RateWarnings {
  readonly #log: Log;
  /** When each was last logged, in epoch ms. */
  readonly #said = new Map<string, number>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** Warnings about the newest snapshot. */
  get current(): readonly string[] {
    return [...this.#said.keys()];
  }

  /** Takes over the warnings of a newer snapshot. */
  update(snapshot: RateSnapshot): void {
    const warnings = warningsOf(snapshot);
    for (const gone of this.current.filter((warning) => !warnings.includes(warning))) {
      this.#said.delete(gone);
      this.#log.info({ warning: gone }, "no longer so");
    }
    for (const warning of warnings) {
      if (snapshot.fetchedAt - (this.#said.get(warning) ?? Number.NEGATIVE_INFINITY) < day) continue;
      this.#said.set(warning, snapshot.fetchedAt);
      this.#log.warn(warning);
    }
  }
}
