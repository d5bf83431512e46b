import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { jetstream } from "@nats-io/jetstream";
import { connect } from "nats";
import { expect, onTestFinished, test } from "vitest";
import { natsForTest } from "../../test/harness/infrastructure.ts";
import { waitFor } from "../../test/harness/wait-for.ts";

const server = await natsForTest();

/** Starts the service as people do; resolves once it listens. */
async function start(env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, ["cmd/materializer/main.ts"], {
    env: { ...process.env, NATS_URL: server.url, HTTP_PORT: "0", ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  const exited = once(child, "exit");
  for await (const line of createInterface(child.stderr)) {
    const { http } = JSON.parse(line);
    if (http === undefined) continue;
    child.stderr.resume();
    const get = async (path: string): Promise<Record<string, unknown>> =>
      JSON.parse(await (await fetch(http + path)).text());
    const stop = async () => {
      child.kill("SIGTERM");
      return (await exited)[0];
    };
    return { get, stop, ready: () => waitFor(async () => (await get("/readyz")).status === "ready") };
  }
  throw new Error("the materializer ended before it listened");
}

test("answers alike over HTTP and NATS, again after a restart, and exits with 0 even while NATS is away", async () => {
  const nc = await connect({ servers: server.url, maxReconnectAttempts: -1 });
  onTestFinished(() => nc.close());
  const first = await start();
  await first.ready();
  const bet = { player_id: 10, game_id: 100, type: "bet", amount: 5, currency: "EUR", has_won: true };
  for (const id of [1, 2, 3])
    await jetstream(nc).publish(
      "casino.event.final.casino.bet",
      JSON.stringify({ ...bet, id, amount_eur: 5 }),
    );

  const best = { id: 10, count: 3, client_id: "casino" };
  const expected = {
    events_total: 3,
    top_player_bets: best,
    top_player_wins: best,
    top_player_deposits: null,
  };
  await waitFor(async () => (await first.get("/materialized")).events_total === 3);
  expect(await first.get("/materialized")).toMatchObject(expected);
  expect((await nc.request("casino.materialized", "", { timeout: 30_000 })).json()).toMatchObject(expected);
  expect(await first.stop()).toBe(0);

  const second = await start();
  await second.ready();
  expect(await second.get("/materialized")).toMatchObject(expected);
  const fromZero = await start({ MATERIALIZER_REPLAY: "off" });
  await fromZero.ready();
  expect(await fromZero.get("/materialized")).toMatchObject({ events_total: 0 });

  const withKeys = await start({ FIGURES: "keys" });
  await withKeys.ready();
  expect(await withKeys.get("/materialized")).toMatchObject({ status: 403 });

  await server.kill();
  expect(await Promise.all([second.stop(), fromZero.stop(), withKeys.stop()])).toEqual([0, 0, 0]);
});
