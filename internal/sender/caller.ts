import type { Attempt, Deliverer } from "../webhooks/deliver.ts";
import type { Destination } from "../webhooks/destination.ts";
import type { WebhookMessage } from "../webhooks/message.ts";
import type { RetryPlan } from "../webhooks/retry-plan.ts";
import { Breaker } from "./breaker.ts";
import type { CallLimit } from "./call-limit.ts";
import { Pace } from "./pace.ts";

/** Concurrent calls to one receiver: at first, and once calls succeed. */
const firstCalls = 4;
const mostCalls = 16;
/** This many failures in a row open the breaker. */
const failuresUntilOpen = 5;
/** The longest pause between probes, as a multiple of the plan's first pause. */
const longestProbePauses = 12;

interface CallerOptions {
  readonly deliverer: Pick<Deliverer, "deliver">;
  /** The process's limit, shared by all destinations. */
  readonly calls: CallLimit;
  /** Whose destination it is. */
  readonly client: string;
  readonly plan: RetryPlan;
  readonly rateLimit: number | null;
  /** Called when there may be room for a call again. */
  readonly wake: () => void;
}

/** Calls one receiver, within the limits of its breaker, its rate and the process. */
export class Caller {
  readonly #options: CallerOptions;
  readonly #breaker: Breaker;
  readonly #pace: Pace;
  #underWay = 0;
  #allowed = firstCalls;
  #failingSince: Date | undefined;
  #succeededAt: Date | undefined;

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

  /** Whether the receiver is failing, so that only single events are tried, with pauses. */
  get isProbing(): boolean {
    return this.#breaker.isOpen;
  }

  get isCalling(): boolean {
    return this.#underWay > 0;
  }

  /** Whether the receiver must not be called at the moment. */
  get isPausing(): boolean {
    return this.#breaker.waitMs(performance.now()) > 0;
  }

  /** Since when all calls have failed; the same object until that changes. Undefined if the last call succeeded. */
  get failingSince(): Date | undefined {
    return this.#failingSince;
  }

  /** When a call last succeeded. */
  get succeededAt(): Date | undefined {
    return this.#succeededAt;
  }

  /** Records that another process has reached the receiver. */
  forgetFailures(): void {
    this.#failingSince = undefined;
  }

  /** How long the next call has to wait, in ms; undefined = until a call in flight has ended. */
  waitMs(): number | undefined {
    if (this.#underWay >= (this.isProbing ? 1 : this.#allowed)) return undefined;
    const now = performance.now();
    return Math.max(this.#breaker.waitMs(now), this.#pace.waitMs(now));
  }

  /**
   * Reserves a place for a call; `call` or `leave` must follow.
   * @returns false if there is none; `wake` is called later
   */
  enter(): boolean {
    const { calls, client, wake } = this.#options;
    return calls.enter(client, wake);
  }

  /** Releases the place without a call. */
  leave(): void {
    this.#options.calls.leave(this.#options.client);
  }

  /**
   * Makes the call for which a place was reserved.
   * @returns undefined if the signal aborted it: then its result is unknown
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

  /** Stops waking the owner. */
  close(): void {
    const { calls, client, wake } = this.#options;
    calls.forget(client, wake);
  }

  #judge({ ok, at, retryAfterMs }: Attempt): void {
    if (ok) {
      this.#breaker.succeeded();
      this.#allowed = Math.min(mostCalls, this.#allowed + 1);
      this.#failingSince = undefined;
      this.#succeededAt = new Date();
      return;
    }
    this.#breaker.failed(performance.now(), retryAfterMs);
    this.#allowed = Math.max(1, Math.floor(this.#allowed / 2));
    this.#failingSince ??= at;
  }
}
