import { randomBytes } from "node:crypto";
import { sql } from "kysely";
import { expect, onTestFinished, test } from "vitest";
import { connectPostgres } from "../internal/postgres/connect.ts";
import { silent } from "./harness/broker.ts";
import { lockTable } from "./harness/locked-table.ts";
import { keyForTest, pipelineForTest } from "./harness/pipeline.ts";
import { runForTest, serviceForTest } from "./harness/service.ts";
import { waitFor } from "./harness/wait-for.ts";

const { env: servers } = await pipelineForTest();
const env = { ...servers, DELIVERY_KEY: randomBytes(32).toString("base64") };
await runForTest("clients", ["add", "lucky"], env);

test("clients whose replays take long to count keep nobody from players", async () => {
  const gateway = await serviceForTest("gateway", env);
  const db = connectPostgres(servers.DATABASE_URL, "test", silent);
  onTestFinished(() => db.destroy());
  const keys = await Promise.all(["casino", "lucky"].map((client) => keyForTest(client, "aside", env)));
  const ask = (key: string, path: string, body?: unknown) =>
    fetch(`${gateway.url}${path}`, {
      headers: {
        authorization: `Bearer ${key}`,
        ...(body !== undefined && { "content-type": "application/json" }),
      },
      ...(body !== undefined && { method: "POST", body: JSON.stringify(body) }),
    });
  const destinations = await Promise.all(
    keys.map(async (key) => {
      const made = await ask(key, "/destinations", { url: "https://example.com/" });
      return { key, ...((await made.json()) as { id: string }) };
    }),
  );
  const unlock = await lockTable(db, "events");
  const count = { from: "2026-01-01T00:00:00Z", dry_run: true };
  const counting = [...destinations, ...destinations].map(({ id, key }) =>
    ask(key, `/destinations/${id}/replay`, count),
  );
  try {
    const waiting = sql`select from pg_locks where not granted and relation = 'events'::regclass`;
    await waitFor(async () => (await waiting.execute(db)).rows.length === counting.length);
    expect((await ask(keys[0] ?? "", "/players")).status).toBe(200);
  } finally {
    await unlock();
    await Promise.all(counting);
  }
});
