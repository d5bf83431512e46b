import { Webhook } from "standardwebhooks";
import { describe, expect, test } from "vitest";
import { silent } from "../../../test/harness/broker.ts";
import { connectPostgres } from "../../postgres/connect.ts";
import { Destinations } from "../../webhooks/destinations.ts";
import { delivererForTest, receiverForTest } from "../../webhooks/receiver.fixture.ts";
import { webhooksForTest } from "./webhooks-gateway.fixture.ts";

const { db, otherKey, operator, box, asker } = await webhooksForTest();

const url = "https://example.com/hook";

test("a destination is set up, read, changed and removed", async () => {
  const ask = await asker();
  const made = await ask("POST", "/destinations", {
    url,
    types: ["bet"],
    headers: { Authorization: "Bearer x" },
  });
  expect(made).toMatchObject({
    status: 201,
    body: {
      client_id: "casino",
      url,
      types: ["bet"],
      headers: { authorization: "***" },
      rate_limit: null,
      ordered: false,
      batch: 1,
      enabled: true,
      disabled_at: null,
      failing_since: null,
      secret: expect.stringMatching(/^whsec_/),
    },
  });
  const { secret, ...shown } = made.body;
  const one = `/destinations/${shown.id}`;
  expect((await ask("GET", one)).body).toEqual(shown);
  expect((await ask("GET", "/destinations")).body).toEqual({ destinations: [shown], next_cursor: null });
  const changed = await ask("PATCH", one, { enabled: false, types: null, rate_limit: 10 });
  expect(changed).toMatchObject({
    status: 200,
    body: { url, types: null, rate_limit: 10, enabled: false, disabled_at: expect.stringMatching(/Z$/) },
  });
  expect((await ask("DELETE", one)).status).toBe(204);
  expect((await ask("GET", one)).status).toBe(404);
  expect((await ask("DELETE", one)).status).toBe(404);
});

test("destinations are listed page by page", async () => {
  const ask = await asker();
  const ids: string[] = [];
  for (let i = 0; i < 3; i++) ids.push((await ask("POST", "/destinations", { url })).body.id);
  const first = (await ask("GET", "/destinations?limit=2")).body;
  const second = (await ask("GET", `/destinations?limit=2&cursor=${first.next_cursor}`)).body;
  const seen = [...first.destinations, ...second.destinations].map(({ id }: { id: string }) => id);
  expect(seen).toEqual(ids.sort());
  expect(second.next_cursor).toBeNull();
});

describe("settings", () => {
  test.each([
    [{}, ["/url"]],
    [{ url: "example.com" }, ["/url"]],
    [{ url: "ftp://example.com" }, ["/url"]],
    [{ url: "https://user:pass@example.com/" }, ["/url"]],
    [{ url: "https://example.com/#part" }, ["/url"]],
    [{ url: "https://exa\tmple.com/" }, ["/url"]],
    [{ url: "https://10.0.0.1/" }, ["/url"]],
    [{ url: "https://[::ffff:10.0.0.1]/" }, ["/url"]],
    [{ url, types: [] }, ["/types"]],
    [{ url, types: ["Bet"] }, ["/types/0"]],
    [{ url, batch: 101, rate_limit: 0 }, ["/batch", "/rate_limit"]],
    [{ url, headers: { host: "x", "webhook-id": "y" } }, ["/headers/host", "/headers/webhook-id"]],
    [{ url, rate_limits: 5 }, ["/rate_limits"]],
    [{ url: 5 }, ["/url"]],
  ])("%o are refused, with all that is wrong", async (body, paths) => {
    const ask = await asker();
    const answer = await ask("POST", "/destinations", body);
    expect(answer.status).toBe(400);
    const named = new Set(answer.body.errors.map(({ path }: { path: string }) => path));
    expect([...named].sort()).toEqual(paths);
  });

  test("of a change are held to the same", async () => {
    const ask = await asker();
    const { id } = (await ask("POST", "/destinations", { url })).body;
    for (const body of [{}, { batch: 0 }, { url: "http://10.0.0.1" }, { headers: { a: "***" } }])
      expect((await ask("PATCH", `/destinations/${id}`, body)).status, JSON.stringify(body)).toBe(400);
  });

  test("without encryption are refused where no network is allowed", async () => {
    const deliverer = delivererForTest({ allow: [] });
    const ask = await asker({ db, destinations: new Destinations(db, box), deliverer });
    expect((await ask("POST", "/destinations", { url: "http://example.com" })).body.errors).toEqual([
      { path: "/url", message: expect.stringMatching(/^cannot be called\. It must be https/) },
    ]);
  });
});

test("a client's key works on its own, an operator's on all, and says whose a new one is", async () => {
  const ask = await asker();
  const { id } = (await ask("POST", "/destinations", { url })).body;
  const one = `/destinations/${id}`;
  expect((await ask("GET", "/destinations", undefined, { as: otherKey })).body.destinations).toEqual([]);
  for (const [method, path] of [
    ["GET", one],
    ["DELETE", one],
    ["POST", `${one}/test`],
    ["POST", `${one}/rotate`],
    ["POST", `${one}/replay?from=2026-01-01T00:00:00Z`],
  ] as const)
    expect((await ask(method, path, undefined, { as: otherKey })).status, `${method} ${path}`).toBe(404);
  expect((await ask("PATCH", one, { batch: 2 }, { as: otherKey })).status).toBe(404);
  expect((await ask("GET", "/destinations?client_id=casino", undefined, { as: otherKey })).status).toBe(403);
  expect((await ask("POST", "/destinations", { url, client_id: "casino" }, { as: otherKey })).status).toBe(
    403,
  );

  expect((await ask("POST", "/destinations", { url }, { as: operator })).body.detail).toMatch(/client_id/);
  const made = await ask("POST", "/destinations", { url, client_id: "lucky-spin" }, { as: operator });
  expect(made).toMatchObject({ status: 201, body: { client_id: "lucky-spin" } });
  expect((await ask("POST", "/destinations", { url, client_id: "nobody" }, { as: operator })).status).toBe(
    409,
  );
  expect((await ask("GET", "/destinations", undefined, { as: operator })).body.destinations).toHaveLength(2);
  const ofOne = await ask("GET", "/destinations?client_id=lucky-spin", undefined, { as: operator });
  expect(ofOne.body.destinations).toMatchObject([{ id: made.body.id }]);
  expect((await ask("GET", one, undefined, { as: operator })).status).toBe(200);
});

describe("a test event", () => {
  test("is signed with both secrets in a rotation, and its answer is for the client alone", async () => {
    const receiver = await receiverForTest((response) => {
      response.writeHead(202).end("thanks");
    });
    const ask = await asker();
    const made = (await ask("POST", "/destinations", { url: receiver.url, batch: 10 })).body;
    const one = `/destinations/${made.id}`;
    const rotated = await ask("POST", `${one}/rotate`, { overlap_seconds: 60 });
    expect(rotated).toMatchObject({ status: 200, body: { id: made.id } });
    expect(await ask("POST", `${one}/test`)).toMatchObject({
      status: 200,
      body: { ok: true, status: 202, error: null, answer: "thanks" },
    });
    const [call] = receiver.received;
    for (const secret of [made.secret, rotated.body.secret])
      expect(new Webhook(secret).verify(call?.body ?? "", call?.headers ?? {})).toMatchObject({
        type: "batch",
        data: [{ type: "croupier.test", data: { client_id: "casino" } }],
      });
    expect((await ask("POST", `${one}/test`, undefined, { as: operator })).body).not.toHaveProperty("answer");
    await ask("POST", `${one}/rotate?overlap_seconds=0`);
    await ask("POST", `${one}/test`);
    const last = receiver.received.at(-1);
    expect(() => new Webhook(rotated.body.secret).verify(last?.body ?? "", last?.headers ?? {})).toThrow();
  });

  test("that fails is an answer as well", async () => {
    const receiver = await receiverForTest((response) => {
      response.writeHead(302, { location: "http://169.254.169.254/latest/meta-data" }).end();
    });
    const ask = await asker();
    const { id } = (await ask("POST", "/destinations", { url: receiver.url })).body;
    expect(await ask("POST", `/destinations/${id}/test`)).toMatchObject({
      status: 200,
      body: { ok: false, status: 302, error: "It answered 302: redirects are not followed." },
    });
  });
});

const some = "abcdefghij012345";
const everyRoute: readonly ["GET" | "POST" | "PATCH" | "DELETE", string, object?][] = [
  ["GET", "/destinations"],
  ["POST", "/destinations", { url }],
  ["GET", `/destinations/${some}`],
  ["PATCH", `/destinations/${some}`, { batch: 1 }],
  ["DELETE", `/destinations/${some}`],
  ["POST", `/destinations/${some}/rotate`],
  ["POST", `/destinations/${some}/test`],
  ["POST", `/destinations/${some}/replay`, { from: "2026-01-01T00:00:00Z" }],
  ["GET", "/deliveries"],
  ["POST", "/deliveries/1/resend"],
];

test("every route wants a key, says so where there is no DELIVERY_KEY, and is a 503 while Postgres is away", async () => {
  const gone = connectPostgres("postgres://casino@127.0.0.1:1/casino", "test", silent);
  const away = { db: gone, destinations: new Destinations(gone, box), deliverer: delivererForTest() };
  const [without, cut] = [await asker("no key"), await asker(away)];
  for (const [method, path, body] of everyRoute) {
    const name = `${method} ${path}`;
    expect((await cut(method, path, body, { as: "nonsense" })).status, name).toBe(401);
    expect(await without(method, path, body), name).toMatchObject({
      status: 503,
      body: { detail: expect.stringContaining("DELIVERY_KEY") },
    });
    expect(await cut(method, path, body), name).toMatchObject({
      status: 503,
      headers: { "retry-after": "2" },
      body: { detail: "Webhooks cannot be reached at the moment: try again shortly." },
    });
  }
  await gone.destroy();
});
