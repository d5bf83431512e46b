import pg from "pg";
import { finalText, type OracleEvent } from "../oracle.ts";
import { eventOf, idOf } from "./events.ts";
import { type Findings, Running } from "./findings.ts";
import type { Ledger } from "./ledger.ts";

const rowsPerPage = 10_000;
const mostNamed = 5;

interface Row {
  readonly [column: string]: unknown;
  readonly id: string;
}

/** Compares Postgres with the ledger while the senders rest: every accepted event is there once, to the letter. */
export class ArchiveCheck {
  readonly #url: string;
  readonly #seed: number;
  readonly #others: readonly string[];
  /** The last event of each page that has been compared to the letter. */
  readonly #compared = new Map<number, number>();
  readonly #running = new Running();

  /** @param others clients whose events another check covers */
  constructor(url: string, seed: number, others: readonly string[]) {
    this.#url = url;
    this.#others = others;
    this.#seed = seed;
  }

  /** Compares each row to the letter once, in the first check after it was added; counts all rows each time. */
  async check(ledger: Ledger): Promise<Findings> {
    const client = new pg.Client({ connectionString: this.#url });
    await client.connect();
    try {
      const wrong = await this.#compare(client, ledger);
      const { rows } = await client.query(
        "select client_id, source, count(*)::int as events from events where client_id <> all($1) group by 1, 2",
        [this.#others],
      );
      let [lost, doubled] = [0, 0];
      for (const { sender, events } of ledger.pages) {
        const row = rows.find((each) => each.client_id === sender.client && each.source === sender.source);
        const there = Number(row?.events ?? 0);
        lost += Math.max(0, events - there);
        doubled += Math.max(0, there - events);
        if (there !== events)
          wrong.push(`Postgres holds ${there} of the ${events} events of ${sender.source}`);
      }
      const known = ledger.pages.map(({ sender }) => sender.source);
      const strangers = rows.filter((row) => !known.includes(row.source));
      for (const row of strangers) {
        doubled += Number(row.events);
        wrong.push(`Postgres holds ${row.events} events of ${row.source}, who has sent none`);
      }
      return this.#running.since({ lost, doubled, wrong });
    } finally {
      await client.end();
    }
  }

  async #compare(client: pg.Client, ledger: Ledger): Promise<string[]> {
    const signIns = await lastSignIns(client);
    const wrong: string[] = [];
    for (const { sender, events } of ledger.pages) {
      const missing: number[] = [];
      let n = this.#compared.get(sender.index) ?? 0;
      while (n < events) {
        const upTo = Math.min(n + rowsPerPage, events);
        const { rows } = await client.query<Row>(
          "select * from events where client_id = $1 and source = $2 and id > $3 and id <= $4 order by id",
          [sender.client, sender.source, idOf(sender, n), idOf(sender, upTo)],
        );
        const found = new Map(rows.map((row) => [Number(row.id), row]));
        for (n++; n <= upTo; n++) {
          const row = found.get(idOf(sender, n));
          const expected = finalText(eventOf(this.#seed, sender, n), signIns);
          if (row === undefined) missing.push(idOf(sender, n));
          else if (textOf(row) !== expected) wrong.push(`Postgres has ${textOf(row)} instead of ${expected}`);
        }
        n = upTo;
      }
      this.#compared.set(sender.index, events);
      if (missing.length > 0)
        wrong.push(
          `not in Postgres, of ${sender.source}: ${missing.length}, first ${missing.slice(0, mostNamed).join(", ")}`,
        );
    }
    return wrong.length > 20 ? [...wrong.slice(0, 20), `and ${wrong.length - 20} more`] : wrong;
  }
}

async function lastSignIns(client: pg.Client): Promise<ReadonlyMap<number, string>> {
  const { rows } = await client.query("select id, last_signed_in_at from players where client_id = 'casino'");
  return new Map(rows.map((row) => [Number(row.id), row.last_signed_in_at.toISOString()]));
}

/** The final event from which the row was made. */
function textOf(row: Row): string {
  const number = (value: unknown) => (value === null ? undefined : Number(value));
  const final: Partial<Record<keyof OracleEvent, unknown>> = {
    id: number(row.id),
    player_id: number(row.player_id),
    game_id: number(row.game_id),
    type: row.type,
    amount: number(row.amount),
    currency: row.currency ?? undefined,
    has_won: row.has_won ?? undefined,
    created_at: row.created_at,
    amount_eur: number(row.amount_eur),
    player:
      row.player_email === null
        ? undefined
        : { email: row.player_email, last_signed_in_at: row.player_last_signed_in_at },
    description: row.description,
  };
  return JSON.stringify(final);
}
