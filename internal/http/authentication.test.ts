import { expect, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { postgresForTest } from "../../test/harness/infrastructure.ts";
import { migrateWithSamples } from "../../test/harness/samples.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { newApiKey, prefixOf } from "../clients/api-key.ts";
import { addClient, createKey, revokeKey, setDisabled } from "../clients/client-repository.ts";
import { deposit, gatewayForTest, gatewaysOfFile, keyFor } from "../gateway/gateway.fixture.ts";
import { connectPostgres } from "../postgres/connect.ts";

const { server, db, key, openGateway } = await gatewaysOfFile("late");

async function gateway() {
  const { app } = await openGateway({
    findEvents: async ({ client }) => ({ events: [], next_cursor: client }),
  });
  return (authorization?: string, method: "GET" | "POST" = "GET") =>
    app.inject({
      method,
      url: "/events",
      headers: { ...(authorization && { authorization }), "content-type": "application/json" },
      ...(method === "POST" && { payload: JSON.stringify(deposit(1)) }),
    });
}

test.each([
  undefined,
  "",
  "Bearer",
  "Bearer ",
  "Basic Y2FzaW5vOg==",
  `Token ${newApiKey()}`,
  newApiKey(),
  `Bearer ${newApiKey()} ${newApiKey()}`,
])("without a key there is a 401 that says how: %s", async (authorization) => {
  for (const method of ["GET", "POST"] as const) {
    const response = await (await gateway())(authorization, method);
    expect(response.statusCode).toBe(401);
    expect(response.headers["content-type"]).toBe("application/problem+json");
    expect(response.headers["www-authenticate"]).toBe('Bearer realm="croupier"');
    expect(response.json().detail).toContain("Authorization: Bearer <key>");
  }
});

test("a key that does not exist is a 401, whatever it looks like", async () => {
  const ask = await gateway();
  for (const key of [newApiKey(), "x", "' or 1=1 --", "cr_", "é".repeat(10), "x".repeat(10_000)]) {
    const response = await ask(`Bearer ${Buffer.from(key).toString("latin1")}`);
    expect(response.statusCode).toBe(401);
    expect(response.headers["www-authenticate"]).toContain("Bearer");
  }
});

test("a key works for its own client, in any case of the scheme", async () => {
  const ask = await gateway();
  await addClient(db, "lucky", "Lucky");
  for (const client of ["casino", "lucky"]) {
    const key = await keyFor(db, "till", client);
    for (const scheme of ["Bearer", "bearer", "BEARER "])
      expect((await ask(`${scheme} ${key}`)).json().next_cursor).toBe(client);
  }
});

test("revoked after a moment, expired at once: 403", async () => {
  const ask = await gateway();
  const revoked = await keyFor(db, "till");
  expect((await ask(`Bearer ${revoked}`, "POST")).statusCode).toBe(202);
  await revokeKey(db, prefixOf(revoked));
  const refusal = await waitFor(async () => {
    const response = await ask(`Bearer ${revoked}`, "POST");
    return response.statusCode === 403 && response;
  });
  expect(refusal.json().detail).toBe("This API key was revoked.");

  // Another one where this one had expired before it could be tried.
  const [expiring, expiresAt] = await waitFor(async () => {
    const until = new Date(Date.now() + 1_000);
    const key = await createKey(db, { client: "casino", source: "till" }, until);
    return (await ask(`Bearer ${key}`)).statusCode === 200 && ([key, until] as const);
  });
  await waitFor(() => Date.now() >= expiresAt.getTime());
  const expired = await ask(`Bearer ${expiring}`);
  expect(expired.statusCode).toBe(403);
  expect(expired.json().detail).toBe("This API key has expired.");
});

test("a disabled client's key is a 403 after a moment, and works again once it is enabled", async () => {
  const ask = await gateway();
  await addClient(db, "paused", "Paused");
  const key = await createKey(db, { client: "paused", source: "till" });
  expect((await ask(`Bearer ${key}`)).statusCode).toBe(200);
  await setDisabled(db, "paused", true);
  const refusal = await waitFor(async () => {
    const response = await ask(`Bearer ${key}`);
    return response.statusCode === 403 && response;
  });
  expect(refusal.json().detail).toBe('The client "paused" is disabled.');
  await setDisabled(db, "paused", false);
  await waitFor(async () => (await ask(`Bearer ${key}`)).statusCode === 200);
});

test("a key created while the gateway runs works within 5 s, also one that was tried before", async () => {
  const ask = await gateway();
  expect((await ask(`Bearer ${key}`)).statusCode).toBe(200);
});

test("an operator's key sends and reads no events: 403", async () => {
  const ask = await gateway();
  const operator = await createKey(db, "operator");
  for (const method of ["GET", "POST"] as const) {
    const response = await ask(`Bearer ${operator}`, method);
    expect(response.statusCode).toBe(403);
    expect(response.json().detail).toMatch(/^An operator's key belongs to no client/);
  }
});

test("while Postgres is away known keys send on; others get a 503 that says when to come again", async () => {
  const postgres = await postgresForTest();
  await using own = connectPostgres(postgres.url, "test", silent);
  await migrateWithSamples(own);
  const { app } = await gatewayForTest(server, own);
  const [known, unknown] = [await keyFor(own, "a"), await keyFor(own, "b")];
  let id = 100;
  const post = (key: string) =>
    app.inject({
      method: "POST",
      url: "/events",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      payload: JSON.stringify(deposit(id++)),
    });
  expect((await post(known)).statusCode).toBe(202);
  await postgres.kill();
  // A server that is killed leaves its processes behind for a moment, which go on answering.
  await waitFor(async () => (await post(newApiKey())).statusCode === 503);
  const refused = await post(unknown);
  expect(refused.statusCode).toBe(503);
  expect(refused.headers["retry-after"]).toBe("2");
  expect(refused.json()).toEqual({
    type: "about:blank",
    title: "Service Unavailable",
    status: 503,
    detail: "API keys cannot be checked at the moment: try again shortly.",
  });
  const until = Date.now() + 4_000;
  await waitFor(async () => {
    expect((await post(known)).statusCode).toBe(202);
    return Date.now() > until;
  });
  await postgres.start();
  await waitFor(async () => (await post(unknown)).statusCode === 202);
});
