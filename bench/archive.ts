import { jetstreamManager } from "@nats-io/jetstream";
import pg from "pg";
import { IngestBuffer } from "../internal/jetstream/ingest-buffer.ts";
import { Publisher } from "../internal/jetstream/publisher.ts";
import { finalStage, stageStream, stageSubject } from "../internal/messages/subjects.ts";
import type { Bench } from "./environment.ts";
import type { Measurement } from "./measurement.ts";
import { cpuPerEvent } from "./processes.ts";
import { messageOf, perSecond } from "./publishing.ts";
import { clear } from "./streams.ts";
import type { Row } from "./table.ts";
import { untilCount } from "./until.ts";

const rowsPerInsert = 1_000;
/** With fewer rows the archiver would finish before the clock starts. */
const leastRows = 50_000;

/** The archiver's speed with all events already in the log, and plain inserts over one connection for comparison. */
export const archive: Measurement = {
  name: "archive",
  title: "into Postgres, rows per second",
  async measure({ bench, options }) {
    const { warmUp } = options;
    const events = Math.max(leastRows, options.events);
    const db = new pg.Client({ connectionString: bench.env.DATABASE_URL });
    await db.connect();
    await using _closed = { [Symbol.asyncDispose]: () => db.end() };
    await clear(bench.nc);
    const plain = await plainInserts(db, events);

    // The first start creates stream and consumer. Events published after its stop wait for the second start.
    await (await bench.start("archiver")).stop();
    await db.query("truncate events");
    await publishFinalEvents(bench, warmUp + events);
    const jsm = await jetstreamManager(bench.nc);
    const archived = async () =>
      (await jsm.consumers.info(stageStream(finalStage), "archiver")).ack_floor.stream_seq;
    const service = await bench.start("archiver");
    await untilCount(archived, warmUp, "rows to be archived", { signal: bench.signal, everyMs: 5 });
    const already = await archived();
    const before = bench.processes.usage();
    const started = performance.now();
    await untilCount(archived, warmUp + events, "rows to be archived", { signal: bench.signal });
    const count = warmUp + events - already;
    const speed = perSecond(count, started);
    const cpu = cpuPerEvent(before, bench.processes.usage(), count);
    await service.stop();
    await db.query("truncate events");
    const row = (label: string, score: number, cells: Row["cells"]): Row => ({
      ...{ label, score },
      cells: { "per second": score, "ratio to plain inserts": score / plain, ...cells },
    });
    return [
      row("inserts of 1,000 rows, no key, index or reference", plain, {}),
      row("one archiver, its work waiting in the log", speed, { "CPU by process": cpu }),
    ];
  },
};

/** Publishes `count` final events with ids from `firstId` on. */
export async function publishFinalEvents({ nc, signal }: Bench, count: number, firstId = 1): Promise<void> {
  const publisher = new Publisher(nc);
  const buffer = new IngestBuffer({ publisher });
  for (let id = firstId; id < firstId + count; id++) {
    signal.throwIfAborted();
    await buffer.room(signal);
    buffer.send(finalMessage(id), (outcome) => {
      if (outcome instanceof Error) throw outcome;
    });
  }
  await buffer.empty();
  publisher.close();
}

async function plainInserts(db: pg.Client, count: number): Promise<number> {
  await db.query("drop table if exists bench_plain");
  await db.query(
    "create table bench_plain (client_id text, source text, id bigint, type text, player_id bigint, game_id bigint, amount bigint, currency text, has_won boolean, created_at timestamptz, amount_eur bigint, player_email text, description text, rate numeric)",
  );
  const event = finalEvent(1);
  const insert = `insert into bench_plain select 'casino', 'bench', i, 'bet', 10, 100, 500, 'USD', false, $2::timestamptz, 468, $3, $4, 1.0684 from unnest($1::bigint[]) as i`;
  const started = performance.now();
  for (let from = 0; from < count; from += rowsPerInsert) {
    const ids = Array.from({ length: Math.min(rowsPerInsert, count - from) }, (_, i) => from + i);
    await db.query(insert, [ids, event.created_at, event.player.email, event.description]);
  }
  const speed = perSecond(count, started);
  await db.query("drop table bench_plain");
  return speed;
}

const place = { subject: stageSubject(finalStage, "casino", "bet"), source: "bench", stage: finalStage };

/** A final event as the last step publishes it. @param createdAt default: that of `finalEvent` */
export function finalMessage(id: number, createdAt?: Date) {
  return messageOf(place, id, Buffer.from(JSON.stringify(finalEvent(id, createdAt))));
}

/** Events of a hundred players, one second apart, so that they spread over the indexes as real ones do. */
function finalEvent(id: number, createdAt = new Date(Date.UTC(2022, 1, 2) + id * 1_000)) {
  const player_id = 10 + (id % 100);
  return {
    id,
    player_id,
    game_id: 100,
    type: "bet",
    amount: 500,
    currency: "USD",
    has_won: false,
    created_at: createdAt.toISOString(),
    amount_eur: 468,
    player: { email: "john@example.com", last_signed_in_at: "2022-02-02T22:45:00.000Z" },
    description: `Player #${player_id} (john@example.com) placed a bet of 5 USD (4.68 EUR) on a game "Rocket Dice" on February 2nd, 2022 at 23:45 UTC.`,
  };
}
