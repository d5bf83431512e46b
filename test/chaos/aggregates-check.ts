import { isDeepStrictEqual } from "node:util";
import { waitFor } from "../harness/wait-for.ts";
import { Aggregates, euroCents } from "../oracle.ts";
import { eventOf } from "./events.ts";
import { type Findings, Running } from "./findings.ts";
import type { Ledger } from "./ledger.ts";

/** The maximum of the answer: the senders have fewer players. */
const most = 100;
/** How long to wait for the materializer, which may be behind archiver and logger. */
const patienceMs = 60_000;

/** Compares `/materialized`, whole and for each client, with a fold of the ledger by the oracle. */
export class AggregatesCheck {
  readonly #url: string;
  readonly #seed: number;
  readonly #others: readonly string[];
  readonly #expected = new Aggregates();
  readonly #totals = new Map<string, number>();
  /** The last event of each page that our own fold has. */
  readonly #folded = new Map<number, number>();
  readonly #running = new Running();

  /**
   * @param url of the materializer
   * @param others clients whose events another check covers; with any, the lists of all clients are not compared
   */
  constructor(url: string, seed: number, others: readonly string[]) {
    this.#url = url;
    this.#others = others;
    this.#seed = seed;
  }

  async check(ledger: Ledger): Promise<Findings> {
    this.#fold(ledger);
    const clients = new Set(ledger.pages.map(({ sender }) => sender.client));
    const questions = this.#others.length === 0 ? [undefined, ...clients] : [...clients];
    const differences = async (): Promise<readonly string[]> => {
      const all = await Promise.all(questions.map((client) => this.#compare(client)));
      return all.filter((difference) => difference !== undefined);
    };
    let last: readonly string[] = [];
    await waitFor(
      async () => {
        last = await differences();
        // A surplus never disappears, so do not wait for it.
        return last.length === 0 || (await this.#surplus()) > 0;
      },
      { timeout: patienceMs, interval: 100 },
    ).catch(() => undefined);
    const more = await this.#surplus();
    return this.#running.since({ lost: Math.max(0, -more), doubled: Math.max(0, more), wrong: last });
  }

  async #surplus(): Promise<number> {
    const [all, ...others] = await Promise.all(
      [undefined, ...this.#others].map(async (client) => Number((await this.#ask(client)).events_total)),
    );
    return others.reduce((rest, total) => rest - total, all ?? Number.NaN) - this.#expected.total;
  }

  #fold({ pages }: Ledger): void {
    for (const { sender, events } of pages) {
      for (let n = (this.#folded.get(sender.index) ?? 0) + 1; n <= events; n++) {
        const event = eventOf(this.#seed, sender, n);
        const { amount = 0, currency = "EUR" } = event;
        this.#expected.add(sender.client, { ...event, amount_eur: euroCents(amount, currency) });
      }
      const before = this.#folded.get(sender.index) ?? 0;
      this.#totals.set(sender.client, (this.#totals.get(sender.client) ?? 0) + events - before);
      this.#folded.set(sender.index, events);
    }
  }

  async #compare(client: string | undefined): Promise<string | undefined> {
    const answer = await this.#ask(client);
    const expected: Readonly<Record<string, unknown>> = {
      events_total: client === undefined ? this.#expected.total : this.#totals.get(client),
      ...this.#expected.tops(client),
      ...this.#expected.lists(most, client),
    };
    const of = client === undefined ? "all clients" : client;
    const wrong = Object.keys(expected).filter((name) => !isDeepStrictEqual(answer[name], expected[name]));
    if (wrong.length === 0) return undefined;
    if (wrong.includes("events_total"))
      return `the aggregates of ${of} count ${answer.events_total} events, the ledger ${expected.events_total}`;
    return `the aggregates of ${of} have ${wrong.join(", ")} other than the ledger`;
  }

  async #ask(client: string | undefined): Promise<Record<string, unknown>> {
    const query = `top=${most}${client === undefined ? "" : `&client_id=${client}`}`;
    const response = await fetch(`${this.#url}/materialized?${query}`, {
      signal: AbortSignal.timeout(10_000),
    });
    return (await response.json()) as Record<string, unknown>; // our own answer, compared field by field
  }
}
