import { expect, onTestFinished, test } from "vitest";
import { silent } from "../../../test/harness/broker.ts";
import { newApiKey } from "../../clients/api-key.ts";
import { addClient, createKey } from "../../clients/client-repository.ts";
import { Fold } from "../../materializer/fold.ts";
import { startMaterializedService } from "../../materializer/nats-service.ts";
import { answer, parseQuery } from "../../materializer/query.ts";
import { gatewaysOfFile, keyFor } from "../gateway.fixture.ts";
import type { Figures } from "./get-materialized.ts";

const { server, db, openGateway } = await gatewaysOfFile();
const now = Date.UTC(2022, 0, 10);

async function gatewayWithMaterializer(figures: Figures = "public") {
  const { app, nc } = await openGateway({ figures });
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
  for (const id of [1, 2]) fold.apply({ ...bet, client: "other", id });
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

test("with FIGURES=keys there is nothing without a key, and a client's key sees its own figures only", async () => {
  const { app, fold } = await gatewayWithMaterializer("keys");
  await addClient(db, "other", "Other");
  const [casino, other] = [await keyFor(db, "till"), await keyFor(db, "till", "other")];
  const operator = (await createKey(db, "operator")) ?? "";
  const ask = (key: string | undefined, query = "", path = "/materialized") =>
    app.inject({ url: path + query, headers: key === undefined ? {} : { authorization: `Bearer ${key}` } });
  const figures = (parameters: object) => answer(fold, parseQuery({ ...parameters }), now);

  for (const path of ["/materialized", "/materialize", "/materialized/"]) {
    expect((await ask(undefined, "", path)).statusCode).toBe(401);
    expect((await ask(newApiKey(), "", path)).statusCode).toBe(401);
    expect((await ask(casino, "", path)).body).toBe(figures({ client_id: "casino" }));
    expect((await ask(operator, "", path)).body).toBe(figures({}));
  }
  expect((await ask(other, "?top=3&window_size=10")).body).toBe(
    figures({ client_id: "other", top: 3, window_size: 10 }),
  );
  expect((await ask(other, "?client_id=other")).body).toBe(figures({ client_id: "other" }));
  expect((await ask(operator, "?client_id=other")).body).toBe(figures({ client_id: "other" }));
  for (const query of [
    "?client_id=casino",
    "?client_id=",
    "?client_id=other&client_id=casino",
    "?client_id=nobody",
  ]) {
    const refused = await ask(other, query);
    expect(refused.statusCode).toBe(403);
    expect(refused.json().detail).toMatch(/^This API key belongs to another client/);
  }
  expect((await ask(other, "?top=0")).statusCode).toBe(400);
});

test("nobody who answers is a 503, and so is one who does not", async () => {
  const { app, nc } = await openGateway();
  const nobody = await app.inject("/materialized");
  expect(nobody.statusCode).toBe(503);
  expect(nobody.headers["retry-after"]).toBe("2");
  expect(nobody.json().detail).toBe("No materializer answers at the moment: try again shortly.");
  nc.subscribe("casino.materialized", { callback: () => undefined });
  await nc.flush();
  expect((await app.inject("/materialized")).statusCode).toBe(503);
});

test("while NATS is away there is a 503 within seconds", async () => {
  const { app } = await openGateway();
  await server.kill();
  expect((await app.inject("/materialized")).statusCode).toBe(503);
  await server.start();
});
