/** Terms of a circuit breaker; times in ms. */
interface BreakerTerms {
  /** This many failures in a row open it. */
  readonly failures: number;
  /** How long after a failure an open one lets the next probe through, at first. */
  readonly probeEveryMs: number;
  /** The maximum of that pause, reached while all probes fail. */
  readonly longestProbeMs: number;
}

/** After this many failed probes the pause between them doubles. */
const probesPerStep = 10;
/** The longest `Retry-After` that is honoured, in ms. */
const longestPatienceMs = 3_600_000;

/**
 * A circuit breaker for one receiver. Closed, it lets all calls through; open, one probe at a time with pauses between
 * them, until one succeeds. Each sender process has its own.
 */
export class Breaker {
  readonly #terms: BreakerTerms;
  #failures = 0;
  #nextProbe = 0;
  #patientUntil = 0;

  constructor(terms: BreakerTerms) {
    this.#terms = terms;
  }

  /** Whether the breaker is open: only probes may pass. */
  get isOpen(): boolean {
    return this.#failures >= this.#terms.failures;
  }

  /** How long to wait before the next call, in ms from `now`; 0 = call now. */
  waitMs(now: number): number {
    return Math.max(0, this.#patientUntil - now, this.isOpen ? this.#nextProbe - now : 0);
  }

  succeeded(): void {
    this.#failures = 0;
    this.#patientUntil = 0;
  }

  /** @param retryAfterMs the receiver's `Retry-After`, which holds up all calls */
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
