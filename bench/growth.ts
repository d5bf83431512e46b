import { writeFile } from "node:fs/promises";
import pg from "pg";
import { arraysFeed, gatewayWithoutLimit, newKey } from "./feeds.ts";
import { renderPlot } from "./growth-plot.ts";
import type { Measurement, Run } from "./measurement.ts";
import { pass } from "./passage.ts";
import { clear } from "./streams.ts";
import { type Row, timeRow } from "./table.ts";

/** The cost of one more event at a size of the system. */
export interface Growth {
  /** Number of events or players. */
  readonly size: number;
  readonly microseconds: number;
  /** Resident memory in MiB, by process. */
  readonly memory: ReadonlyMap<string, number>;
}

/** Whether time per event and memory stay constant as events and players grow. */
export const growth: Measurement = {
  name: "growth",
  title: "growth: µs per event from arrays of 100 with everything running, and memory in MiB by process",
  once: true,
  async measure(run) {
    const events = await growingEvents(run);
    const players = await growingPlayers(run);
    const { plot } = run.options;
    if (plot !== undefined) await writeFile(plot, renderPlot({ events, players }));
    const rowOf = (what: string) => (growth: Growth) => {
      const label = `${growth.size.toLocaleString("en")} ${what}`;
      return timeRow(label, growth.microseconds, {
        "µs per event": growth.microseconds,
        "memory by process": growth.memory,
      });
    };
    return [...events.map(rowOf("events so far")), ...players.map(rowOf("players"))] satisfies Row[];
  },
};

/** One system that receives more and more events. */
async function growingEvents(run: Run): Promise<readonly Growth[]> {
  const { options, progress } = run;
  await using system = await openSystem(run);
  const found: Growth[] = [];
  let sent = options.warmUp;
  await system.send(sent);
  for (const size of options.growthEvents.filter((size) => size > sent)) {
    progress(`  ${size.toLocaleString("en")} events`);
    found.push(await system.send(size - sent, size));
    sent = size;
  }
  return found;
}

/** The same number of events of more and more players, on a new system each time. */
async function growingPlayers(run: Run): Promise<readonly Growth[]> {
  const { bench, options, progress } = run;
  const db = new pg.Client({ connectionString: bench.env.DATABASE_URL });
  await db.connect();
  await using _closed = { [Symbol.asyncDispose]: () => db.end() };
  const found: Growth[] = [];
  for (const players of options.growthPlayers) {
    progress(`  ${players.toLocaleString("en")} players`);
    await db.query(
      `insert into players (client_id, id, email, last_signed_in_at)
       select 'casino', i, 'player-' || i || '@example.com', now() from generate_series(10, 9 + $1::int) as i
       on conflict do nothing`,
      [players],
    );
    await db.query("analyze players");
    await using system = await openSystem(run, players);
    await system.send(options.warmUp);
    found.push(await system.send(Math.round(options.events / 2), players));
  }
  return found;
}

/** Starts all services of a production system, with empty streams, until disposal. */
async function openSystem({ bench }: Run, players?: number) {
  await clear(bench.nc);
  const [materializer, gateway, ...others] = await Promise.all([
    bench.start("materializer"),
    bench.start("gateway", gatewayWithoutLimit),
    ...["enricher", "archiver", "logger"].map((name) => bench.start(name)),
  ]);
  const feed = arraysFeed(bench, gateway.url, await newKey(bench), players);
  return {
    async send(count: number, size = count): Promise<Growth> {
      const passing = { materializer, archiver: true, feed, feedName: "HTTP load" };
      const { seconds } = await pass(bench, count, passing);
      const memory = new Map(
        [...bench.processes.usage()].map(([name, { memory }]) => [name, memory / 2 ** 20]),
      );
      return { size, microseconds: (seconds * 1e6) / count, memory };
    },
    async [Symbol.asyncDispose]() {
      for (const service of [materializer, gateway, ...others]) await service.stop();
    },
  };
}
