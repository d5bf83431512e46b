import { setTimeout as sleep } from "node:timers/promises";

const batch = 100;

/**
 * Posts bets to a gateway, 100 at a time, until it is told to stop. What is not answered with 202 is sent again under
 * the same ids until it is, whatever happens to the gateway meanwhile: each event counts once.
 */
export class Sender {
  readonly #gateway: string;
  readonly #key: string;
  #sent = 0;
  #retries = 0;

  constructor(gateway: string, key: string) {
    this.#gateway = gateway;
    this.#key = key;
  }

  /** How many events the gateway has accepted so far. */
  get sent(): number {
    return this.#sent;
  }

  /** How often a batch had to be sent again. */
  get retries(): number {
    return this.#retries;
  }

  /** Sends while `meanwhile` runs, and three batches before and after it. */
  async during(meanwhile: () => Promise<unknown>): Promise<void> {
    await this.#batches(3);
    const stop = new AbortController();
    const sending = this.#until(stop.signal);
    try {
      await meanwhile();
    } finally {
      stop.abort();
      await sending;
    }
    await this.#batches(3);
  }

  async #batches(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await this.#batch();
  }

  async #until(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#batch();
      // A steady load, no benchmark.
      await sleep(50);
    }
  }

  async #batch(): Promise<void> {
    const events = Array.from({ length: batch }, (_, i) => ({
      id: this.#sent + i + 1,
      type: "bet",
      player_id: 10 + (i % 5),
      game_id: 100 + (i % 10),
      amount: 100 + i,
      currency: i % 2 === 0 ? "EUR" : "USD",
      has_won: i % 20 === 0,
      created_at: new Date().toISOString(),
    }));
    const body = JSON.stringify(events);
    const deadline = performance.now() + 120_000;
    while (!(await this.#post(body))) {
      if (performance.now() > deadline) throw new Error("the gateway took no events for two minutes");
      this.#retries++;
      await sleep(200);
    }
    this.#sent += batch;
  }

  async #post(body: string): Promise<boolean> {
    const headers = { authorization: `Bearer ${this.#key}`, "content-type": "application/json" };
    const answer = await fetch(`${this.#gateway}/events`, {
      method: "POST",
      headers,
      body,
      signal: AbortSignal.timeout(10_000),
    }).catch(() => undefined);
    // Read whole, so that the connection can be used again; it may break on the way.
    const text = await answer?.text().catch(() => undefined);
    if (answer === undefined || text === undefined || answer.status >= 500 || answer.status === 429)
      return false;
    if (answer.status !== 202) throw new Error(`POST /events answered ${answer.status}: ${text}`);
    return true;
  }
}
