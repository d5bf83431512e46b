import { readFile } from "node:fs/promises";
import { Ajv2020 } from "ajv/dist/2020.js";
import type { InjectOptions } from "fastify";
import { describe, expect, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { natsForTest } from "../../test/harness/infrastructure.ts";
import { createKey } from "../clients/client-repository.ts";
import { Fold } from "../materializer/fold.ts";
import { startMaterializedService } from "../materializer/nats-service.ts";
import { databaseOfFile, deposit, gatewayForTest, keyFor } from "./gateway.fixture.ts";

const server = await natsForTest();
const db = await databaseOfFile();
const key = await keyFor(db, "docs");

type Examples = Readonly<Record<string, { readonly value: unknown }>>;
interface Operation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly security?: readonly object[];
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema: object }[];
  readonly requestBody?: {
    readonly required?: boolean;
    readonly content: Readonly<Record<string, { readonly schema: object; readonly examples?: Examples }>>;
  };
  readonly responses: Readonly<
    Record<
      string,
      {
        readonly description: string;
        readonly content?: Readonly<Record<string, { readonly schema: object }>>;
      }
    >
  >;
}
interface Document {
  readonly openapi: string;
  readonly info: object;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

/** The description, and what there really is. */
async function load() {
  const { app } = await gatewayForTest(server, db);
  const document: Document = (await app.inject("/openapi.json")).json();
  const routes = routesIn(app.printRoutes({ commonPrefix: false }));
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      operation,
    })),
  );
  return { document, routes, operations };
}

/** The routes in the framework's drawing of its tree, in which a child's path goes on where its parent's ends. */
function routesIn(tree: string): readonly string[] {
  const parents: string[] = [];
  return [...tree.matchAll(/^([│ ]*)[├└]── (\S+)(?: \((.+)\))?$/gm)].flatMap(
    ([, indent = "", part, methods]) => {
      const depth = indent.length / 4;
      parents[depth] = (parents[depth - 1] ?? "") + part;
      return methods === undefined ? [] : methods.split(", ").map((method) => `${method} ${parents[depth]}`);
    },
  );
}

/** Compiles schemas of the document, formats aside. */
function validator({ components }: Document) {
  const ajv = new Ajv2020({ strict: false, formats: { "date-time": true, binary: true } });
  return (schema: object) => {
    const complete = JSON.stringify({ ...schema, $defs: components.schemas });
    return ajv.compile(JSON.parse(complete.replaceAll("#/components/schemas/", "#/$defs/")));
  };
}

describe("the description", () => {
  test("is OpenAPI 3.1 and names every route but the documentation's own and the dashboard's, and no others", async () => {
    const { document, routes, operations } = await load();
    expect(document.openapi).toBe("3.1.0");
    const documented = operations.map(({ name }) => name.replace(/\{(\w+)\}/g, ":$1"));
    const real = routes.filter(
      (route) =>
        !/^(HEAD|OPTIONS) |\/docs|^GET \/(openapi\.json|event\.proto|web\/.*|\*)?$|\/dashboard\//.test(route),
    );
    expect(real.length).toBeGreaterThan(5);
    expect(documented.sort()).toEqual(real.sort());
  });

  test("gives every operation an id of its own and a summary, and every answer a description", async () => {
    const { operations } = await load();
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(ids).not.toContain(undefined);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { operation } of operations) {
      expect(operation.summary).toBeTruthy();
      expect(Object.keys(operation.responses)).not.toHaveLength(0);
      for (const response of Object.values(operation.responses)) expect(response.description).toBeTruthy();
    }
  });

  test("holds nothing but valid JSON Schemas whose references resolve", async () => {
    const { document, operations } = await load();
    const compile = validator(document);
    for (const schema of Object.values(document.components.schemas)) compile(schema);
    for (const { operation } of operations) {
      for (const { schema } of operation.parameters ?? []) compile(schema);
      for (const { content = {} } of [...Object.values(operation.responses), operation.requestBody ?? {}])
        for (const { schema } of Object.values(content)) compile(schema);
    }
    expect(JSON.stringify(document)).not.toMatch(/"def-\d/);
  });

  test("says which operations need a body", async () => {
    const { operations } = await load();
    const bodies = operations.flatMap(({ name, operation: { requestBody } }) =>
      requestBody === undefined ? [] : [[name, requestBody.required]],
    );
    expect(Object.fromEntries(bodies)).toEqual({
      "POST /events": true,
      "POST /destinations": true,
      "PATCH /destinations/{id}": true,
      "POST /destinations/{id}/replay": false,
      "POST /destinations/{id}/rotate": false,
      "POST /players": true,
      "PUT /players/{id}": true,
      "POST /games": true,
      "PUT /games/{id}": true,
      "POST /dead-letters/{seq}/replay": false,
      "POST /dead-letters/replay": false,
    });
  });

  test("says which operations need a key", async () => {
    const { operations } = await load();
    const open = operations.filter(({ operation }) => operation.security === undefined);
    expect(open.map(({ name }) => name).sort()).toEqual([
      "GET /healthz",
      "GET /materialize",
      "GET /materialized",
      "GET /metrics",
      "GET /readyz",
    ]);
    const { app } = await gatewayForTest(server, db, { figures: "keys" });
    const { paths } = (await app.inject("/openapi.json")).json() as Document; // as in `load`
    for (const path of ["/materialized", "/materialize"]) {
      expect(paths[path]?.get?.security).toEqual([{ apiKey: [] }]);
      expect(Object.keys(paths[path]?.get?.responses ?? {})).toEqual([
        "200",
        "400",
        "401",
        "403",
        "429",
        "503",
      ]);
    }
  });
});

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
    const { document } = await load();
    const { app, nc } = await gatewayForTest(server, db, {
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
    const { document } = await load();
    const operator = await createKey(db, "operator");
    const { app } = await gatewayForTest(server, db, { rateLimit: 1 });
    const ask = () => app.inject({ url: "/events", headers: { authorization: `Bearer ${operator}` } });
    const responses = [await ask(), await ask(), await ask()];
    expect(new Set(responses.map((response) => response.statusCode))).toEqual(new Set([403, 429]));
    const validate = validator(document)(document.components.schemas.Problem ?? {});
    for (const response of responses) expect(validate(response.json())).toBe(true);
  });
});

test("the examples of events can be sent as they are", async () => {
  const { document } = await load();
  const { app } = await gatewayForTest(server, db, {
    types: { decode: (_client, read) => read(() => () => []) },
  });
  const send = async (contentType: string, value: unknown) => {
    const headers = { authorization: `Bearer ${key}`, "content-type": contentType };
    const payload = typeof value === "string" ? value : JSON.stringify(value);
    return (await app.inject({ method: "POST", url: "/events", headers, payload })).statusCode;
  };
  const content = document.paths["/events"]?.post?.requestBody?.content ?? {};
  const examples = ["application/json", "application/x-ndjson"].flatMap((contentType) =>
    Object.values(content[contentType]?.examples ?? {}).map(({ value }) => send(contentType, value)),
  );
  expect(await Promise.all(examples)).toEqual(Array.from({ length: 7 }, () => 202));
});

test("the documentation can be browsed without any other server", async () => {
  const { app } = await gatewayForTest(server, db);
  const page = await app.inject("/docs");
  expect(page.statusCode).toBe(200);
  const links = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link = ""]) => link);
  expect(links.length).toBeGreaterThan(3);
  for (const link of links) {
    expect(link).not.toMatch(/^(https?:)?\/\//);
    const url = new URL(link, "http://x/docs");
    expect((await app.inject(url.pathname)).statusCode).toBe(200);
  }
  const settings = await app.inject("/docs/static/swagger-initializer.js");
  expect(settings.body).toContain('"validatorUrl":null');
  const { document } = await load();
  expect((await app.inject("/docs/json")).json()).toEqual(document);
});

test("the documentation's pages may load nothing foreign, run nothing inline, and be framed by nobody", async () => {
  const { app } = await gatewayForTest(server, db);
  for (const url of [
    "/docs",
    "/docs/static/index.html",
    "/docs/static/swagger-initializer.js",
    "/docs/json",
  ]) {
    const { headers } = await app.inject(url);
    const policy = String(headers["content-security-policy"]);
    const sources = new Map(
      policy.split(";").map((part) => [part.split(" ")[0], part.slice(part.indexOf(" ") + 1)]),
    );
    expect(sources.get("default-src")).toBe("'none'");
    expect(sources.get("script-src")).toBe("'self'");
    expect(sources.get("style-src")).toBe("'self'");
    expect(sources.get("frame-ancestors")).toBe("'none'");
    expect(headers).toMatchObject({ "x-frame-options": "DENY", "x-content-type-options": "nosniff" });
  }
  // What the policy would block, the page does not have.
  const { body } = await app.inject("/docs");
  expect(body).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=|javascript:/);
});

test("no answer is taken by a browser for what it does not say it is", async () => {
  const { app } = await gatewayForTest(server, db);
  for (const url of ["/healthz", "/openapi.json", "/events", "/nothing", "/"])
    expect((await app.inject(url)).headers["x-content-type-options"]).toBe("nosniff");
});

test("the protobuf schema is served as it is", async () => {
  const { app } = await gatewayForTest(server, db);
  const file = await readFile(new URL("../../proto/event.proto", import.meta.url), "utf8");
  expect((await app.inject("/event.proto")).body).toBe(file);
});
