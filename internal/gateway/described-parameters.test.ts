import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { defaultLimits, silent } from "../../test/harness/broker.ts";
import { createKey } from "../clients/client-repository.ts";
import { ensureStreams } from "../jetstream/topology.ts";
import { Fold } from "../materializer/fold.ts";
import { startMaterializedService } from "../materializer/nats-service.ts";
import { Deliverer } from "../webhooks/deliver.ts";
import { Destinations } from "../webhooks/destinations.ts";
import { SecretBox } from "../webhooks/secret-box.ts";
import { gatewaysOfFile } from "./gateway.fixture.ts";

const { db, key, openGateway } = await gatewaysOfFile("described");
const webhooks = {
  db,
  destinations: new Destinations(db, new SecretBox([Buffer.alloc(32)])),
  deliverer: new Deliverer(),
};
const operator = (await createKey(db, "operator")) ?? "";

interface Schema {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
  readonly format?: string;
}
interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly schema: Schema;
}

/** The gateway with all that its routes ask, and its own description of their parameters. */
async function load() {
  const { app, nc } = await openGateway({ webhooks });
  await ensureStreams(nc, ["raw"], defaultLimits);
  onTestFinished(startMaterializedService({ nc, fold: new Fold(), log: silent, version: "0.0.0" }));
  await nc.flush();
  const { paths } = (await app.inject("/openapi.json")).json();
  const parametersOf = (path: string, method: string): readonly Parameter[] =>
    (paths[path]?.[method]?.parameters ?? []).filter((parameter: Parameter) => parameter.in === "query");
  const ask = async (method: "GET" | "POST", path: string, query: string) => {
    const authorization = `Bearer ${/^.(?:dead-letters|destinations|deliveries)/.test(path) ? operator : key}`;
    const response = await app.inject({ method, url: `${path}?${query}`, headers: { authorization } });
    return { status: response.statusCode, detail: response.json().detail };
  };
  return { parametersOf, ask };
}

/** As texts of a query string. */
function valid({
  type,
  enum: values,
  minimum = 1,
  maximum = 1,
  pattern,
  format,
}: Schema): fc.Arbitrary<string> {
  if (type === "integer") return fc.maxSafeInteger().map((n) => String(minimum + (Math.abs(n) % maximum)));
  if (type === "boolean") return fc.constantFrom("true", "false");
  if (values !== undefined) return fc.constantFrom(...values);
  if (format === "date-time")
    return fc
      .date({ noInvalidDate: true, min: new Date(0), max: new Date("9999-12-31") })
      .map((date) => date.toISOString());
  if (pattern === undefined) throw new Error("a text of any form: is nothing refused?");
  const form = new RegExp(pattern, "u");
  const some = fc.oneof(
    fc.stringMatching(/^[a-z0-9_-]{1,40}$/),
    fc.stringMatching(/^[a-z0-9-]{1,40}$/),
    fc.stringMatching(/^[1-9][0-9]{0,15}$/),
    fc.stringMatching(/^[a-z0-9]{16}$/),
    fc.string({ unit: "grapheme", minLength: 1 }),
  );
  return some.filter((text) => text.isWellFormed() && form.test(text));
}

const texts = [
  "",
  "0",
  "-1",
  "1.5",
  "1e3",
  "9007199254740992",
  "maybe",
  "A*",
  "a b",
  "a.b",
  "\0",
  "x".repeat(101),
  "2022-02-30T00:00:00Z",
];
const ajv = new Ajv2020({
  strict: false,
  formats: { "date-time": (text: string) => !text.includes("02-30") && !Number.isNaN(Date.parse(text)) },
});

/** Of some texts those that the schema does not allow. */
function invalid(schema: Schema): readonly string[] {
  const check = ajv.compile(schema);
  return texts.filter((text) => {
    const isNumber = schema.type === "integer" && /^-?[\d.]+$/.test(text);
    return !check(isNumber ? Number(text) : text);
  });
}

const routes = [
  ["GET", "/events", "/events"],
  ["GET", "/players", "/players"],
  ["GET", "/games", "/games"],
  ["GET", "/destinations", "/destinations"],
  ["GET", "/deliveries", "/deliveries"],
  ["GET", "/materialized", "/materialized"],
  ["GET", "/materialize", "/materialize"],
  ["GET", "/dead-letters", "/dead-letters"],
  ["POST", "/dead-letters/replay", "/dead-letters/replay"],
  ["POST", "/dead-letters/{seq}/replay", "/dead-letters/1/replay"],
] as const;

test.each(routes)(
  "%s %s takes the parameters that its description allows, and refuses others by name",
  async (method, path, url) => {
    const { parametersOf, ask } = await load();
    const parameters = parametersOf(path, method.toLowerCase());
    expect(parameters.length).toBeGreaterThan(0);
    for (const { name, schema } of parameters) {
      // Only an earlier answer knows one.
      if (name !== "cursor" || !["/events", "/deliveries"].includes(path))
        await fc.assert(
          fc.asyncProperty(valid(schema), async (text) => {
            const { status, detail } = await ask(method, url, `${name}=${encodeURIComponent(text)}`);
            expect([200, 404], `${name}=${text}: ${detail}`).toContain(status);
          }),
          { numRuns: 25 },
        );
      const refused = invalid(schema);
      expect(refused.length).toBeGreaterThan(2);
      for (const text of refused) {
        const { status, detail } = await ask(method, url, `${name}=${encodeURIComponent(text)}`);
        expect(status, `${name}=${text}`).toBe(400);
        expect(detail).toMatch(new RegExp(`^${name} must be `));
      }
    }
  },
);

test("a body of parameters is held to the types that its description has", async () => {
  const { app } = await openGateway();
  const send = (body: unknown) =>
    app.inject({
      method: "POST",
      url: "/dead-letters/replay",
      headers: { authorization: `Bearer ${operator}`, "content-type": "application/json" },
      payload: JSON.stringify(body),
    });
  for (const body of [
    { limit: "5" },
    { limit: null },
    { dry_run: "true" },
    { cursor: 5 },
    { step: ["currency"] },
    { nothing: 1 },
  ])
    expect((await send(body)).statusCode, JSON.stringify(body)).toBe(400);
  expect((await send({ limit: 5, dry_run: true, step: "currency", cursor: "5" })).statusCode).toBe(200);
});

test("the answer without a body is described without one", async () => {
  const { app } = await openGateway();
  const { paths } = (await app.inject("/openapi.json")).json();
  expect(paths["/dead-letters/{seq}"].delete.responses[204]).toEqual({ description: "it was discarded" });
});
