import pg from "pg";
import { Publisher } from "../internal/jetstream/publisher.ts";
import { finalStage, stageSubject } from "../internal/jetstream/subjects.ts";
import { type Bench, clear, until } from "./environment.ts";
import { messageOf, perSecond } from "./publishing.ts";

/** Rows per second into Postgres. */
export interface ArchiveSpeeds {
  /** What Postgres takes from one connection: the same columns into a table without keys, indexes and references. */
  readonly raw: number;
  /** The archiver: pull, decode, insert with primary key, four indexes and two references, acknowledge. */
  readonly archiver: number;
}

const rowsPerInsert = 1_000;

export async function archiveSpeeds(bench: Bench, count: number): Promise<ArchiveSpeeds> {
  await clear(bench.nc);
  const db = new pg.Client({ connectionString: bench.env.DATABASE_URL });
  await db.connect();
  const raw = await rawInserts(db, count);

  // A first start makes stream and consumer; what is then published waits for the second.
  await (await bench.start("archiver")).stop();
  await db.query("truncate events");
  const publisher = new Publisher(bench.nc);
  const place = { subject: stageSubject(finalStage, "casino", "bet"), source: "bench", stage: finalStage };
  for (let id = 1; id <= count; id++) {
    await publisher.room();
    const message = messageOf(place, id, Buffer.from(JSON.stringify(finalEvent(id))));
    publisher.send(message, (outcome) => {
      if (outcome instanceof Error) throw outcome;
    });
  }
  await until(async () => publisher.pending === 0, "the events to be stored");
  publisher.close();

  const archived = async () => Number((await db.query("select count(*) from events")).rows[0].count);
  const service = await bench.start("archiver");
  const already = await archived();
  const started = performance.now();
  await until(async () => (await archived()) === count, `${count} rows`);
  const archiver = perSecond(count - already, started);
  await service.stop();
  await db.query("truncate events");
  await db.end();
  return { raw, archiver };
}

async function rawInserts(db: pg.Client, count: number): Promise<number> {
  await db.query("drop table if exists bench_raw");
  await db.query(
    "create table bench_raw (client_id text, source text, id bigint, type text, player_id bigint, game_id bigint, amount bigint, currency text, has_won boolean, created_at timestamptz, amount_eur bigint, player_email text, description text, rate numeric)",
  );
  const event = finalEvent(1);
  const insert = `insert into bench_raw select 'casino', 'bench', i, 'bet', 10, 100, 500, 'USD', false, $2::timestamptz, 468, $3, $4, 1.0684 from unnest($1::bigint[]) as i`;
  const started = performance.now();
  for (let from = 0; from < count; from += rowsPerInsert) {
    const ids = Array.from({ length: Math.min(rowsPerInsert, count - from) }, (_, i) => from + i);
    await db.query(insert, [ids, event.created_at, event.player.email, event.description]);
  }
  const speed = perSecond(count, started);
  await db.query("drop table bench_raw");
  return speed;
}

function finalEvent(id: number) {
  return {
    id,
    player_id: 10,
    game_id: 100,
    type: "bet",
    amount: 500,
    currency: "USD",
    has_won: false,
    created_at: "2022-02-02T23:45:00.000Z",
    amount_eur: 468,
    player: { email: "john@example.com", last_signed_in_at: "2022-02-02T22:45:00.000Z" },
    description:
      'Player #10 (john@example.com) placed a bet of 5 USD (4.68 EUR) on a game "Rocket Dice" on February 2nd, 2022 at 23:45 UTC.',
  };
}
