import pg from "pg";
import { expect, test } from "vitest";
import { connectForTest } from "./harness/broker.ts";
import { emptyQueues, pipelineForTest } from "./harness/pipeline.ts";
import { runForTest, serviceForTest } from "./harness/service.ts";
import { waitFor } from "./harness/wait-for.ts";
import { finalText, type OracleEvent, tops } from "./oracle.ts";

/** Enough that every service is restarted in the middle; set it higher for a longer run. */
const count = Number(process.env.PIPELINE_EVENTS ?? 20_000);

const { nats, jsm, env } = await pipelineForTest();

async function lastSignIns(): Promise<ReadonlyMap<number, string>> {
  const client = new pg.Client({ connectionString: env.DATABASE_URL });
  await client.connect();
  const { rows } = await client.query("select id, last_signed_in_at from players where client_id = 'casino'");
  await client.end();
  return new Map(rows.map((row) => [Number(row.id), row.last_signed_in_at.toISOString()]));
}

test("every event comes out right to the letter, once, with two enrichers and every service restarted in the middle", {
  timeout: 240_000,
}, async () => {
  const [one, two, logger, materializer] = await Promise.all([
    serviceForTest("enricher", env),
    serviceForTest("enricher", env),
    serviceForTest("logger", env),
    serviceForTest("materializer", env),
  ]);
  const raw = new Map<number, OracleEvent>();
  await captureRaw(raw);
  const generating = runForTest(
    "generator",
    ["--rate", "4000", "--count", String(count), "--seed", "7"],
    env,
  );
  const lines = () => logger.output().split("\n").length - 1;
  const until = (share: number) =>
    waitFor(() => lines() >= count * share, { timeout: 120_000, what: `${share} of the events` });

  await until(0.2);
  await one.stop();
  await one.start();
  await until(0.35);
  await logger.stop();
  await logger.start();
  await until(0.5);
  await materializer.kill();
  await materializer.start();
  await until(0.65);
  await two.kill();
  await two.start();
  await generating;
  await until(1);
  // Nothing may still be on its way, or a doubled event would come after the last look.
  await emptyQueues(jsm);
  await logger.stop();
  expect(await logger.exited()).toBe("exit code 0");

  const signIns = await lastSignIns();
  const printed = logger.output().trimEnd().split("\n");
  const finals = printed.map((line) => JSON.parse(line) as OracleEvent); // compared to the letter below
  expect(printed).toHaveLength(count);
  expect(new Set(finals.map((event) => event.id)).size).toBe(count);
  const wrong = printed.filter((line, index) => {
    const source = raw.get(finals[index]?.id ?? 0);
    return source === undefined || finalText(source, signIns) !== line;
  });
  expect(wrong.slice(0, 3)).toEqual([]);
  expect((await jsm.streams.info("CASINO_DEAD")).state.messages).toBe(0);

  const answer = await waitFor(async () => {
    const body = (await (await fetch(`${materializer.url}/materialized`)).json()) as Record<string, unknown>; // read below
    return body.events_total === count && body;
  });
  expect(answer).toMatchObject(tops(finals));
});

/** Keeps every raw event as it is published. */
async function captureRaw(raw: Map<number, OracleEvent>): Promise<void> {
  const { nc } = await connectForTest(nats);
  nc.subscribe("casino.event.raw.casino", {
    callback: (_err, msg) => {
      const event = msg.json<OracleEvent>();
      raw.set(event.id, event);
    },
  });
  await nc.flush();
}
