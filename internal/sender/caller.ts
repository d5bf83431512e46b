import type { Attempt, Deliverer } from "../webhooks/deliver.ts";
import type { Destination } from "../webhooks/destination.ts";
import type { WebhookMessage } from "../webhooks/message.ts";
import type { RetryPlan } from "../webhooks/retry-plan.ts";
import { Breaker } from "./breaker.ts";
import type { CallLimit } from "./call-limit.ts";
import { Pace } from "./pace.ts";

/** Calls under way to one receiver: as many at first, as many once all goes well. */
const firstCalls = 4;
const mostCalls = 16;
/** So many failures in a row open its breaker. */
const failuresUntilOpen = 5;
/** Of the first pause of the plan: how far apart probes are in the end. */
const longestProbePauses = 12;

export interface CallerOptions {
  readonly deliverer: Pick<Deliverer, "deliver">;
  /** Of the process. */
  readonly calls: CallLimit;
  readonly plan: RetryPlan;
  readonly rateLimit: number | null;
  /** There may be room for a call again. */
  readonly wake: () => void;
}

/** Calls one receiver, as often and as many at once as is good for it and for the others. */
export class Caller {
  readonly #options: CallerOptions;
  readonly #breaker: Breaker;
  readonly #pace: Pace;
  #underWay = 0;
  #allowed = firstCalls;
  #failingSince: Date | null | undefined;

  constructor(options: CallerOptions) {
    const [firstPause = 5_000] = options.plan;
    this.#options = options;
    this.#breaker = new Breaker({
      failures: failuresUntilOpen,
      probeEveryMs: firstPause,
      longestProbeMs: firstPause * longestProbePauses,
    });
    this.#pace = new Pace(options.rateLimit, performance.now());
  }

  set rateLimit(perSecond: number | null) {
    this.#pace.set(perSecond);
  }

  /** Whether it fails so that only single events are tried, with pauses. */
  get isProbing(): boolean {
    return this.#breaker.isOpen;
  }

  get isCalling(): boolean {
    return this.#underWay > 0;
  }

  /** Whether the receiver is left alone at the moment. */
  get isPausing(): boolean {
    return this.#breaker.waitMs(performance.now()) > 0;
  }

  /** Since when nothing but failures has come of it; null when the last call did well; undefined before the first one. */
  get failingSince(): Date | null | undefined {
    return this.#failingSince;
  }

  /** Others have reached it meanwhile. */
  forgetFailures(): void {
    if (this.#failingSince instanceof Date) this.#failingSince = new Date();
  }

  /** How long the next call has to wait, in ms; undefined: until one that is under way has ended. */
  waitMs(): number | undefined {
    if (this.#underWay >= (this.isProbing ? 1 : this.#allowed)) return undefined;
    const now = performance.now();
    return Math.max(this.#breaker.waitMs(now), this.#pace.waitMs(now));
  }

  /** Takes a place for a call; `call` or `leave` has to follow. @returns false when there is none: `wake` tells when there is */
  enter(): boolean {
    return this.#options.calls.enter(this.#options.wake);
  }

  /** There is nothing to call with. */
  leave(): void {
    this.#options.calls.leave();
  }

  /**
   * Makes the call for which a place was taken.
   * @returns undefined when it was cut off by the signal: then nobody knows what came of it
   */
  async call(
    destination: Destination,
    message: WebhookMessage,
    cut: AbortSignal,
  ): Promise<Attempt | undefined> {
    this.#pace.take(performance.now());
    this.#underWay++;
    try {
      const attempt = await this.#options.deliverer.deliver(destination, message, cut);
      this.#judge(attempt);
      return attempt;
    } catch (err) {
      if (cut.aborted) return undefined;
      throw err;
    } finally {
      this.#underWay--;
      this.leave();
    }
  }

  /** It is not to be told any more. */
  close(): void {
    this.#options.calls.forget(this.#options.wake);
  }

  #judge({ ok, at, retryAfterMs }: Attempt): void {
    if (ok) {
      this.#breaker.succeeded();
      this.#allowed = Math.min(mostCalls, this.#allowed + 1);
      this.#failingSince = null;
      return;
    }
    this.#breaker.failed(performance.now(), retryAfterMs);
    this.#allowed = Math.max(1, Math.floor(this.#allowed / 2));
    if (!(this.#failingSince instanceof Date)) this.#failingSince = at;
  }
}
