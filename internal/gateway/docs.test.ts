import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { type Document, describedApi, validator } from "./api-description.fixture.ts";
import { gatewaysOfFile } from "./gateway.fixture.ts";

const { server, db, key, openGateway } = await gatewaysOfFile("docs");

const load = () => describedApi(server, db);

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
    const { app } = await openGateway({ figures: "keys" });
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

test("the examples of events can be sent as they are", async () => {
  const { document } = await load();
  const { app } = await openGateway({
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
  const { app } = await openGateway();
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
  const { app } = await openGateway();
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
  const { app } = await openGateway();
  for (const url of ["/healthz", "/openapi.json", "/events", "/nothing", "/"])
    expect((await app.inject(url)).headers["x-content-type-options"]).toBe("nosniff");
});

test("the protobuf schema is served as it is", async () => {
  const { app } = await openGateway();
  const file = await readFile(new URL("../../proto/event.proto", import.meta.url), "utf8");
  expect((await app.inject("/event.proto")).body).toBe(file);
});
