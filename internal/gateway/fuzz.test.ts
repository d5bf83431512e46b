import fc from "fast-check";
import type { InjectOptions } from "fastify";
import { expect, onTestFinished, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { findEvents } from "../archive/find-events.ts";
import { anyEvent, anyGame } from "../casino/event.arbitrary.ts";
import { newApiKey } from "../clients/api-key.ts";
import { createKey } from "../clients/client-repository.ts";
import { Fold } from "../materializer/fold.ts";
import { startMaterializedService } from "../materializer/nats-service.ts";
import { eventTypesTaken } from "./events/post-events.ts";
import { gatewaysOfFile } from "./gateway.fixture.ts";

const { db, key, openGateway } = await gatewaysOfFile("fuzz");
const operator = (await createKey(db, "operator")) ?? "";

async function gateway() {
  const { app, nc } = await openGateway({
    findEvents: (filter, signal) => findEvents(db, filter, signal),
  });
  onTestFinished(startMaterializedService({ nc, fold: new Fold(), log: silent, version: "0.0.0" }));
  await nc.flush();
  return async (request: InjectOptions) => {
    const response = await app.inject(request);
    const { statusCode, headers, body } = response;
    // Shown when it fails.
    const answer = { statusCode, type: headers["content-type"], body: body.slice(0, 500) };
    expect(answer).toMatchObject({ statusCode: expect.toSatisfy((status) => status < 500) });
    if (statusCode >= 400 && request.method !== "HEAD") {
      expect(answer.type).toBe("application/problem+json");
      expect(response.json()).toMatchObject({
        status: statusCode,
        detail: expect.stringMatching(/^[A-Za-z].*\.$/s),
      });
    }
    expect(body).not.toMatch(/ at .*\.ts:\d|node_modules|select .* from|syntax error/i);
    return response;
  };
}

const headerText = fc.string({
  unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
  maxLength: 60,
});
const anyHeaders = fc.record(
  {
    authorization: fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(`Bearer ${key}`, `bearer ${key} `) },
      fc.constantFrom(`Bearer ${operator}`, `Bearer ${newApiKey()}`, "Basic eDp5"),
      headerText,
    ),
    "content-type": fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...eventTypesTaken) },
      fc.constantFrom("application/json; charset=utf-16", "text/plain", "application/", "/", ";", "*/*"),
      headerText,
    ),
    "content-encoding": fc.constantFrom("gzip", "identity", ""),
    traceparent: headerText,
    accept: headerText,
    "x-any": headerText,
  },
  { requiredKeys: ["authorization", "content-type"] },
);

const brokenEvent = fc
  .tuple(
    anyEvent,
    fc.dictionary(
      fc.constantFrom(
        "id",
        "type",
        "amount",
        "currency",
        "created_at",
        "data",
        "has_won",
        "__proto__",
        "toString",
      ),
      fc.jsonValue(),
    ),
  )
  .map(([event, changes]) => ({ ...event, ...changes }));
const anyJson = fc.oneof(
  anyGame.map((event) => JSON.stringify(event)),
  brokenEvent.map((event) => JSON.stringify(event)),
  fc.array(brokenEvent, { maxLength: 20 }).map((events) => JSON.stringify(events)),
  fc
    .array(brokenEvent, { maxLength: 20 })
    .map((events) => events.map((event) => JSON.stringify(event)).join("\n")),
  fc.json({ stringUnit: "binary" }),
);
const anyBody = fc.oneof(
  { weight: 3, arbitrary: anyJson.map((text) => Buffer.from(text)) },
  anyJson.map((text) => Buffer.from(text).subarray(0, -1)),
  fc.uint8Array({ maxLength: 500 }).map((bytes) => Buffer.from(bytes)),
);

test("no body under any headers makes the gateway fail", async () => {
  const send = await gateway();
  const statuses = new Set<number>();
  await fc.assert(
    fc.asyncProperty(anyHeaders, anyBody, async (headers, payload) => {
      const { statusCode } = await send({ method: "POST", url: "/events", headers, payload });
      statuses.add(statusCode);
      await send({ method: "POST", url: "/players", headers, payload });
      await send({ method: "PUT", url: "/players/1", headers, payload });
    }),
    { numRuns: 1_000 },
  );
  for (const status of [202, 400, 401, 415]) expect(statuses).toContain(status);
});

test("no filter, cursor or parameter makes the gateway fail", async () => {
  const send = await gateway();
  const names = [
    "type",
    "player_id",
    "from",
    "to",
    "limit",
    "cursor",
    "window_size",
    "client_id",
    "top",
    "x",
    "__proto__",
  ];
  const cursor = fc
    .tuple(fc.integer(), fc.integer(), fc.string())
    .map((parts) => Buffer.from(parts.join(".")).toString("base64url"));
  const value = fc.oneof(
    fc.constantFrom(
      "",
      "0",
      "1",
      "bet",
      "2022-01-01T00:00:00Z",
      "9007199254740992",
      "-1",
      "1e400",
      "null",
      "\0",
      "'",
    ),
    fc.string({ unit: "binary" }).filter((text) => text.isWellFormed()),
    cursor,
  );
  const query = fc
    .array(fc.tuple(fc.constantFrom(...names), value), { maxLength: 5 })
    .map((pairs) => pairs.map(([name, text]) => `${name}=${encodeURIComponent(text)}`).join("&"));
  const rawQuery = headerText.map((text) => text.replaceAll(/[ #]/g, "+"));
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom("/events", "/players", "/materialized", "/materialize"),
      fc.oneof(query, rawQuery),
      async (path, text) => {
        await send({ url: `${path}?${text}`, headers: { authorization: `Bearer ${key}` } });
      },
    ),
    { numRuns: 1_000 },
  );
});

test("no path and no method makes the gateway fail", async () => {
  const send = await gateway();
  const segment = fc.oneof(
    fc.constantFrom(
      "events",
      "players",
      "docs",
      "static",
      "materialized",
      "..",
      "%2e%2e",
      "%00",
      "%zz",
      "healthz",
      "*",
      ":seq",
    ),
    headerText.map((text) => text.replaceAll(/[ ?#\\]/g, "-")),
  );
  const method = fc.constantFrom("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS");
  await fc.assert(
    fc.asyncProperty(
      method,
      fc.array(segment, { maxLength: 4 }),
      anyHeaders,
      async (verb, segments, headers) => {
        await send({ method: verb as "GET", url: `/${segments.join("/")}`, headers }); // one of the seven above
      },
    ),
    { numRuns: 1_000 },
  );
});
