import type { FastifyInstance } from "fastify";
import { expect, test } from "vitest";
import { keysIn } from "../../clients/api-key-cache.ts";
import { createKey, listKeys, revokeKey } from "../../clients/client-repository.ts";
import { createCode } from "../../clients/sessions.ts";
import { gatewaysOfFile, keyFor } from "../gateway.fixture.ts";

const { db, key, openGateway } = await gatewaysOfFile("page");
const own = { "x-croupier": "dashboard" };

const signIn = (app: FastifyInstance, payload: object, headers: object = own) =>
  app.inject({ method: "POST", url: "/dashboard/session", payload, headers: { ...headers } });

/** A cookie as a browser sends it back. */
const cookieOf = (answer: { headers: object }) => {
  const { "set-cookie": set } = answer.headers as { "set-cookie"?: string };
  return { cookie: String(set).split(";", 1)[0] ?? "" };
};

test("the page and all that it loads come from here, and its policy lets nothing else in", async () => {
  const { app } = await openGateway();
  const page = await app.inject("/");
  expect(page.statusCode).toBe(200);
  expect(page.headers["content-security-policy"]).toMatch(/default-src 'none';script-src 'self'/);
  expect(page.headers["content-security-policy"]).not.toMatch(/unsafe|https?:|\*/);
  const seen = new Set<string>();
  const load = async (path: string): Promise<void> => {
    if (seen.has(path)) return;
    seen.add(path);
    const { statusCode, body } = await app.inject(path);
    expect([path, statusCode]).toEqual([path, 200]);
    if (!/\.js$/.test(path)) return;
    for (const [, target = ""] of body.matchAll(/^(?:import|export)[^"']*?from ?"([^"]+)"/gm)) {
      expect(target).toMatch(/^\.\/[\w./-]+\.js$/);
      await load(new URL(target, `http://x${path}`).pathname);
    }
  };
  for (const [, link = ""] of page.body.matchAll(/(?:src|href)="(\/web[^"]+)"/g)) await load(link);
  expect([...seen]).toContain("/web/vendor/preact.js");
  expect(page.body).not.toMatch(/<script(?![^>]*src)|<style|\son\w+=|style=/);
});

test("a code opens one session, once", async () => {
  const { app } = await openGateway();
  const code = await createCode(db, "operator");
  const first = await signIn(app, { code });
  expect(first.json()).toEqual({ role: "operator", client_id: null });
  expect(first.headers["set-cookie"]).toMatch(
    /^croupier_session=cs_\w+; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200$/,
  );
  const again = await signIn(app, { code });
  expect(again.statusCode).toBe(401);
  expect(again.json().detail).toContain("sign-in");
  const who = await app.inject({ url: "/dashboard/session", headers: cookieOf(first) });
  expect(who.json()).toEqual({ role: "operator", client_id: null });
  expect((await app.inject({ url: "/dead-letters?limit=1", headers: cookieOf(first) })).statusCode).not.toBe(
    401,
  );
});

test("a code that is too old opens none", async () => {
  const { app } = await openGateway();
  const code = await createCode(db, "operator");
  await db
    .updateTable("sessions")
    .set({ expires_at: new Date(0) })
    .execute();
  expect((await signIn(app, { code })).statusCode).toBe(401);
});

test("a client's key opens a session that sees the client's own, behind HTTPS in a cookie for HTTPS only", async () => {
  const { app } = await openGateway();
  const answer = await signIn(app, { key }, { ...own, "x-forwarded-proto": "https" });
  expect(answer.json()).toEqual({ role: "client", client_id: "casino" });
  expect(answer.headers["set-cookie"]).toMatch(/; Secure$/);
  const others = await app.inject({ url: "/dead-letters?client_id=acme", headers: cookieOf(answer) });
  expect(others.statusCode).toBe(403);
  expect((await signIn(app, { key: `${key.slice(0, -1)}x` })).statusCode).toBe(401);
});

test("what changes something needs more than the cookie: a header that only our own page can set", async () => {
  const { app } = await openGateway();
  const code = await createCode(db, "operator");
  for (const headers of [
    {},
    { ...own, "sec-fetch-site": "cross-site" },
    { ...own, "sec-fetch-site": "same-site" },
  ])
    expect((await signIn(app, { code }, headers)).statusCode).toBe(403);
  const cookie = cookieOf(await signIn(app, { code }));
  const discard = (headers: object) =>
    app.inject({ method: "DELETE", url: "/dead-letters/1", headers: { ...cookie, ...headers } });
  expect((await discard({})).statusCode).toBe(403);
  expect((await discard({ ...own, "sec-fetch-site": "cross-site" })).statusCode).toBe(403);
  expect((await discard({ ...own, "sec-fetch-site": "same-origin" })).statusCode).not.toBe(403);
});

test("a session ends when it is signed out, and with the key that opened it", async () => {
  const { app } = await openGateway();
  const key = await createKey(db, { client: "casino", source: "ends" });
  const [one, two] = [cookieOf(await signIn(app, { key })), cookieOf(await signIn(app, { key }))];
  const out = await app.inject({ method: "DELETE", url: "/dashboard/session", headers: { ...one, ...own } });
  expect(out.statusCode).toBe(204);
  expect(out.headers["set-cookie"]).toMatch(/^croupier_session=;.*Max-Age=0/);
  // Another gateway, which remembers none of it.
  const other = await openGateway({ keys: keysIn(db) });
  const ask = (headers: object) =>
    other.app
      .inject({ url: "/dashboard/session", headers: { ...headers } })
      .then((answer) => answer.statusCode);
  expect(await ask(one)).toBe(401);
  const row = (await listKeys(db, "casino")).find(({ source }) => source === "ends");
  await revokeKey(db, row?.prefix ?? "");
  expect(await ask(two)).toBe(401);
});

test("a key has 20 sessions at most: one more ends the oldest", async () => {
  const { app } = await openGateway();
  const key = await keyFor(db, "many");
  const first = cookieOf(await signIn(app, { key }));
  for (let more = 0; more < 20; more++) await signIn(app, { key });
  expect((await app.inject({ url: "/dashboard/session", headers: first })).statusCode).toBe(401);
});
