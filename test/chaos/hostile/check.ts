import pg from "pg";
import { waitFor } from "../../harness/wait-for.ts";
import { type Findings, Running } from "../findings.ts";
import type { Letter } from "../letters.ts";
import { mallory } from "./attacks.ts";
import { eventName, judge } from "./judge.ts";
import type { Mallory } from "./mallory.ts";

/** Checks what became of the hostile producer's messages, while she rests. */
export class HostileCheck {
  readonly #postgres: string;
  readonly #materializer: string;
  readonly #letters = new Map<number, number>();
  readonly #running = new Running();
  #rows: ReadonlyMap<string, number> = new Map();
  #letterCount = 0;

  /** @param urls of Postgres and of the materializer */
  constructor(urls: { readonly postgres: string; readonly materializer: string }) {
    this.#postgres = urls.postgres;
    this.#materializer = urls.materializer;
  }

  get finals(): number {
    return this.#rows.size;
  }

  get letters(): number {
    return this.#letterCount;
  }

  /** @param news her letters since the last call */
  async check({ sent }: Mallory, news: readonly Letter[]): Promise<Findings> {
    for (const { seq, accepted } of news) {
      this.#letterCount++;
      // `<number>[.<line>/<lines>] <ms>`
      const raw = Number.parseInt(accepted, 10);
      if (Number.isNaN(raw)) throw new Error(`letter ${seq} does not say what it was accepted as`);
      this.#letters.set(raw, (this.#letters.get(raw) ?? 0) + 1);
    }
    this.#rows = await this.#inPostgres();
    const { lost, doubled, wrong } = judge(sent, { rows: this.#rows, letters: this.#letters });
    const folded = await this.#folded();
    const surplus = folded - this.#rows.size;
    return this.#running.since({
      lost: lost + Math.max(0, -surplus),
      doubled: doubled + Math.max(0, surplus),
      wrong: [
        ...wrong,
        ...(surplus === 0
          ? []
          : [`the aggregates of ${mallory} count ${folded} events, Postgres ${this.#rows.size}`]),
      ],
    });
  }

  async #inPostgres(): Promise<ReadonlyMap<string, number>> {
    const client = new pg.Client({ connectionString: this.#postgres });
    await client.connect();
    try {
      const { rows } = await client.query("select id, source, amount_eur from events where client_id = $1", [
        mallory,
      ]);
      return new Map(
        rows.map(({ id, source, amount_eur }) => [eventName({ source, id }), Number(amount_eur)]),
      );
    } finally {
      await client.end();
    }
  }

  /** Waits, because the materializer may be behind. */
  async #folded(): Promise<number> {
    let total = 0;
    const hasAll = async () => {
      const answer = await fetch(`${this.#materializer}/materialized?client_id=${mallory}`);
      total = ((await answer.json()) as { events_total: number }).events_total; // our own answer
      return total >= this.#rows.size;
    };
    await waitFor(hasAll, { timeout: 60_000, interval: 100 }).catch(() => undefined);
    return total;
  }
}
