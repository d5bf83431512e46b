import { expect, onTestFinished, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { natsForTest } from "../../test/harness/infrastructure.ts";
import { Fold } from "../materializer/fold.ts";
import { startMaterializedService } from "../materializer/nats-service.ts";
import { answer, parseQuery } from "../materializer/query.ts";
import { databaseOfFile, gatewayForTest } from "./gateway.fixture.ts";

const server = await natsForTest();
const db = await databaseOfFile();
const now = Date.UTC(2022, 0, 10);

async function gatewayWithMaterializer() {
  const { app, nc } = await gatewayForTest(server, db);
  const fold = new Fold();
  const bet = {
    client: "casino",
    source: "nats",
    type: "bet",
    playerId: 10,
    hasWon: true,
    storedAt: now - 1_000,
  };
  for (const id of [1, 2, 3]) fold.apply({ ...bet, id });
  const stop = startMaterializedService({ nc, fold, log: silent, version: "0.0.0", now: () => now });
  onTestFinished(stop);
  await nc.flush();
  return { app, fold };
}

test.each(["/materialized", "/materialize", "/materialized/"])(
  "GET %s is the materializer's answer, without a key",
  async (url) => {
    const { app, fold } = await gatewayWithMaterializer();
    for (const [query, parameters] of [
      ["", {}],
      ["?window_size=10&client_id=casino&top=5", { window_size: 10, client_id: "casino", top: 5 }],
    ] as const) {
      const response = await app.inject(url + query);
      expect(response.statusCode).toBe(200);
      expect(response.headers).toMatchObject({
        "content-type": "application/json; charset=utf-8",
        "cache-control": "no-store",
      });
      expect(response.body).toBe(answer(fold, parseQuery(parameters), now));
    }
  },
);

test.each(["window_size=0", "window_size=60&window_size=61", "top=abc", "client_id="])(
  "what the materializer refuses is a 400 with its sentence: %s",
  async (query) => {
    const { app } = await gatewayWithMaterializer();
    const response = await app.inject(`/materialized?${query}`);
    expect(response.statusCode).toBe(400);
    expect(response.headers["content-type"]).toBe("application/problem+json");
    expect(response.json().detail).toMatch(
      new RegExp(`^${query.slice(0, query.indexOf("="))} must be .*\\.$`),
    );
  },
);

test("nobody who answers is a 503, and so is one who does not", async () => {
  const { app, nc } = await gatewayForTest(server, db);
  const nobody = await app.inject("/materialized");
  expect(nobody.statusCode).toBe(503);
  expect(nobody.headers["retry-after"]).toBe("2");
  expect(nobody.json().detail).toBe("No materializer answers at the moment: try again shortly.");
  nc.subscribe("casino.materialized", { callback: () => undefined });
  await nc.flush();
  expect((await app.inject("/materialized")).statusCode).toBe(503);
});

test("while NATS is away there is a 503 within seconds", async () => {
  const { app } = await gatewayForTest(server, db);
  await server.kill();
  expect((await app.inject("/materialized")).statusCode).toBe(503);
  await server.start();
});
