/** Terms of a circuit breaker; times in ms. */
export interface BreakerTerms {
  /** So many failures in a row open it. */
  readonly failures: number;
  /** How long after a failure an open one lets the next probe through, at first. */
  readonly probeEveryMs: number;
  /** The longest that this grows to while nothing but failures comes. */
  readonly longestProbeMs: number;
}

/** After so many failed probes the time between them doubles. */
const probesPerStep = 10;
/** A receiver that asks for patience gets it, but not for ever. */
const longestPatienceMs = 3_600_000;

/**
 * Whether a receiver may be called: closed, as often as there is something; open, by one call at a time with pauses between
 * them, until one does well. Of this process alone: each sender finds out for itself.
 */
export class Breaker {
  readonly #terms: BreakerTerms;
  #failures = 0;
  #nextProbe = 0;
  #patientUntil = 0;

  constructor(terms: BreakerTerms) {
    this.#terms = terms;
  }

  /** Whether only probes may pass. */
  get isOpen(): boolean {
    return this.#failures >= this.#terms.failures;
  }

  /** How long nobody may call it, in ms from `now`; 0 = a call may begin now. */
  waitMs(now: number): number {
    return Math.max(0, this.#patientUntil - now, this.isOpen ? this.#nextProbe - now : 0);
  }

  succeeded(): void {
    this.#failures = 0;
    this.#patientUntil = 0;
  }

  /** @param retryAfterMs how long the receiver asked to be left alone: it is, by all calls */
  failed(now: number, retryAfterMs = 0): void {
    this.#failures++;
    const { failures, probeEveryMs, longestProbeMs } = this.#terms;
    const probes = Math.max(0, this.#failures - failures);
    const gap = Math.min(
      longestProbeMs,
      probeEveryMs * 2 ** Math.min(20, Math.floor(probes / probesPerStep)),
    );
    this.#nextProbe = now + gap;
    this.#patientUntil = Math.max(this.#patientUntil, now + Math.min(retryAfterMs, longestPatienceMs));
  }
}
