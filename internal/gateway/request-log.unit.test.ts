import { fastify } from "fastify";
import pino from "pino";
import { expect, onTestFinished, test, vi } from "vitest";
import { requireKey } from "../http/authentication.ts";
import { answerErrors } from "../http/errors.ts";
import { logRequests, newRequestId } from "../http/request-log.ts";

const key = `cr_0123abcd_${"7".repeat(48)}`;
const trace = "0af7651916cd43dd8448eb211c80319c";

function app() {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ level: "info" }, { write: (line) => void lines.push(JSON.parse(line)) });
  const it = fastify({ genReqId: newRequestId });
  onTestFinished(() => it.close());
  logRequests(it, log);
  answerErrors(it, log, 1_000);
  const keys = {
    find: async (text: string) =>
      text === key
        ? { id: "1", client: "acme", source: "till", revokedAt: null, expiresAt: null, disabledAt: null }
        : undefined,
  };
  it.get("/good", async () => "good");
  it.get("/readyz", async (_request, reply) => reply.code(503).send("not yet"));
  it.get("/behind/:secret", { onRequest: requireKey(keys) }, async (_request, reply) =>
    reply.code(503).send(""),
  );
  return { it, lines };
}

test("an answer that is an error is a line under the id that it carries; one that is none is no line", async () => {
  const { it, lines } = app();
  const good = await it.inject("/good");
  expect(good.headers["x-request-id"]).toMatch(/^[0-9a-f]{12}-[0-9a-z]+$/);
  await it.inject("/readyz");
  expect(lines).toEqual([]);
  const headers = { authorization: `Bearer ${key}`, traceparent: `00-${trace}-b7ad6b7169203331-01` };
  const bad = await it.inject({ url: "/behind/hidden?word=hidden", headers });
  expect(bad.headers["x-request-id"]).not.toBe(good.headers["x-request-id"]);
  expect(lines).toMatchObject([
    {
      msg: "GET answered with 503",
      request_id: bad.headers["x-request-id"],
      status: 503,
      route: "/behind/:secret",
      key: "cr_0123abcd",
      client: "acme",
      trace,
      ms: expect.any(Number),
    },
  ]);
  expect(JSON.stringify(lines)).not.toMatch(/hidden|7777/);
});

test("of what is no key, nothing is logged", async () => {
  const { it, lines } = app();
  for (const text of ["my-own-password", `${key}7`, ""])
    await it.inject({ url: "/behind/x", headers: { authorization: `Bearer ${text}` } });
  await it.inject("/nowhere");
  expect(lines.map(({ status, key: shown }) => [status, shown])).toEqual(
    [401, 401, 401, 404].map((status) => [status, undefined]),
  );
  expect(JSON.stringify(lines)).not.toMatch(/password|7777/);
});

test("a flood is counted, not logged", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  const { it, lines } = app();
  for (let i = 0; i < 50; i++) await it.inject("/nowhere");
  expect(lines).toHaveLength(20);
  vi.advanceTimersByTime(1_000);
  await it.inject("/nowhere");
  expect(lines.slice(20)).toMatchObject([{ count: 30 }, { status: 404 }]);
});
