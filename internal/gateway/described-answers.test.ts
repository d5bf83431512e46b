import type { InjectOptions } from "fastify";
import { describe, expect, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { createKey } from "../clients/client-repository.ts";
import { Fold } from "../materializer/fold.ts";
import { startMaterializedService } from "../materializer/nats-service.ts";
import { describedApi, validator } from "./api-description.fixture.ts";
import { deposit, gatewaysOfFile } from "./gateway.fixture.ts";

const { server, db, key, openGateway } = await gatewaysOfFile("docs");

describe("answers match the description", () => {
  const authorization = `Bearer ${key}`;
  const json = { authorization, "content-type": "application/json" };
  const post = (headers: Record<string, string>, payload: string) => ({
    method: "POST" as const,
    url: "/events",
    headers,
    payload,
  });
  const body = (...events: unknown[]) => JSON.stringify(events);
  test.each<[string, number, InjectOptions & { readonly url: string }]>([
    ["all accepted", 202, post(json, body(deposit(1)))],
    ["some accepted", 207, post(json, body(deposit(1), {}))],
    ["none accepted", 400, post(json, body({}))],
    ["not JSON", 400, post(json, "{")],
    ["too many", 413, post(json, body(...Array.from({ length: 1_001 }, () => 0)))],
    ["no media type of ours", 415, post({ authorization, "content-type": "text/plain" }, "x")],
    ["no key", 401, post({}, "{}")],
    ["events", 200, { url: "/events?limit=5", headers: { authorization } }],
    ["players", 200, { url: "/players", headers: { authorization } }],
    ["all players stored", 200, { ...post(json, body({ id: 1, email: "a@b" })), url: "/players" }],
    ["some players stored", 207, { ...post(json, body({ id: 1, email: "a@b" }, {})), url: "/players" }],
    ["no player stored", 400, { ...post(json, body({})), url: "/players" }],
    ["games", 200, { url: "/games", headers: { authorization } }],
    ["all games stored", 200, { ...post(json, body({ id: 1, title: "x" })), url: "/games" }],
    ["a wrong filter", 400, { url: "/events?limit=0", headers: { authorization } }],
    ["events without a key", 401, { url: "/events" }],
    ["aggregates", 200, { url: "/materialized?top=3" }],
    ["a wrong window", 400, { url: "/materialized?window_size=0" }],
    ["alive", 200, { url: "/healthz" }],
    ["ready", 200, { url: "/readyz" }],
  ])("%s", async (_what, status, request) => {
    const { document } = await describedApi(server, db);
    const { app, nc } = await openGateway({
      findEvents: async () => ({
        events: [
          {
            ...deposit(1),
            amount_eur: 10_000,
            player: { email: "bob@example.com", last_signed_in_at: null },
            description: "Player #12 made a deposit.",
            client_id: "casino",
            source: "docs",
          },
        ],
        next_cursor: null,
      }),
    });
    const fold = new Fold();
    fold.apply({
      client: "casino",
      source: "x",
      id: 1,
      type: "bet",
      playerId: 1,
      hasWon: true,
      storedAt: Date.now(),
    });
    const stop = startMaterializedService({ nc, fold, log: silent, version: "0.0.0" });
    await nc.flush();
    const response = await app.inject(request);
    await stop();
    expect(response.statusCode).toBe(status);
    const path = request.url.split("?")[0] ?? "";
    const method = "method" in request ? "post" : "get";
    const described = document.paths[path]?.[method]?.responses[status]?.content;
    const [mediaType = ""] = String(response.headers["content-type"]).split(";");
    const validate = validator(document)(
      described?.[mediaType]?.schema ?? expect.fail(`${mediaType} is not described`),
    );
    validate(response.json());
    expect(validate.errors).toBeNull();
  });

  test("an operator's 403 and a 429 do", async () => {
    const { document } = await describedApi(server, db);
    const operator = await createKey(db, "operator");
    const { app } = await openGateway({ rateLimit: 1 });
    const ask = () => app.inject({ url: "/events", headers: { authorization: `Bearer ${operator}` } });
    const responses = [await ask(), await ask(), await ask()];
    expect(new Set(responses.map((response) => response.statusCode))).toEqual(new Set([403, 429]));
    const validate = validator(document)(document.components.schemas.Problem ?? {});
    for (const response of responses) expect(validate(response.json())).toBe(true);
  });
});
