import { afterAll, describe, expect, test } from "vitest";
import { connectForTest, silent } from "../../test/harness/broker.ts";
import { startCommand } from "../../test/harness/command.ts";
import { databaseForTest, natsForTest } from "../../test/harness/infrastructure.ts";
import { migrateWithSamples } from "../../test/harness/samples.ts";
import { connectPostgres } from "../postgres/connect.ts";
import { compileDataCheck } from "../registry/data-check.ts";
import { registerType } from "../registry/event-types.ts";
import { ConfigError } from "../service/config.ts";
import { Unavailable } from "../service/unavailable.ts";
import { checkProducers } from "./client-check.ts";
import { customEvents } from "./custom.ts";
import { seededRandom } from "./random.ts";

const DATABASE_URL = await databaseForTest();
const db = connectPostgres(DATABASE_URL, "test", silent);
afterAll(() => db.destroy());
await migrateWithSamples(db);

async function some(type: string, client = "casino", seed = 7, count = 50) {
  const events = (await customEvents(db, client, type))(seededRandom(seed), () => new Date(0));
  return Array.from({ length: count }, () => events.next().value);
}

const strict = {
  type: "object",
  properties: {
    at: { type: "string", format: "date-time" },
    key: { type: "string", pattern: "^[a-f]{4}-\\d+$" },
    share: { type: "number", exclusiveMinimum: 0, maximum: 1 },
    kind: { oneOf: [{ const: "a" }, { type: "integer", multipleOf: 7 }] },
    list: { type: "array", items: { $ref: "#/$defs/item" }, minItems: 2, uniqueItems: true },
  },
  required: ["at", "key", "share", "kind", "list"],
  additionalProperties: false,
  $defs: { item: { type: "string", minLength: 3, maxLength: 5 } },
};

describe("customEvents", () => {
  test("are of the type, with ids from 1, and satisfy its schema", async () => {
    await registerType(db, { type: "strict", client: undefined }, strict);
    const events = await some("strict");
    expect(events.map(({ id }) => id)).toEqual(Array.from({ length: 50 }, (_, index) => index + 1));
    const check = compileDataCheck(strict);
    for (const event of events) {
      expect(Object.keys(event)).toEqual(["id", "type", "created_at", "data"]);
      expect(event).toMatchObject({ type: "strict", created_at: "1970-01-01T00:00:00.000Z" });
      expect(check(event.data)).toEqual([]);
    }
    expect(new Set(events.map(({ data }) => JSON.stringify(data))).size).toBe(50);
  });

  test("are the same from the same seed only", async () => {
    expect(await some("transaction_approved")).toEqual(await some("transaction_approved"));
    expect(await some("transaction_approved")).not.toEqual(await some("transaction_approved", "casino", 8));
  });

  test("go by the client's own schema before the one for all", async () => {
    const only = (kind: string) => ({
      type: "object",
      properties: { kind: { const: kind } },
      required: ["kind"],
    });
    await registerType(
      db,
      { type: "both", client: "acme-casino" },
      { ...only("own"), additionalProperties: false },
    );
    await registerType(
      db,
      { type: "both", client: undefined },
      { ...only("common"), additionalProperties: false },
    );
    const kinds = async (client: string) =>
      new Set((await some("both", client)).map(({ data }) => JSON.stringify(data)));
    expect(await kinds("acme-casino")).toEqual(new Set(['{"kind":"own"}']));
    expect(await kinds("casino")).toEqual(new Set(['{"kind":"common"}']));
  });

  test("cannot be made of a type of another client, or of a schema that nothing satisfies", async () => {
    await registerType(db, { type: "foreign", client: "lucky-spin" }, { type: "object" });
    await expect(customEvents(db, "casino", "foreign")).rejects.toThrow(ConfigError);
    await registerType(db, { type: "never", client: undefined }, { type: "object", not: {} });
    await expect(customEvents(db, "casino", "never")).rejects.toThrow(
      /^--type must have a schema that random data/,
    );
  });

  test("have to wait for a database that is away", async () => {
    await using away = connectPostgres("postgres://casino@127.0.0.1:1/casino", "test", silent);
    await expect(customEvents(away, "casino", "monitor-app")).rejects.toThrow(Unavailable);
  });
});

describe("npm run generator -- --type", async () => {
  const nats = await natsForTest();
  const { jsm } = await connectForTest(nats);
  const run = (...args: string[]) =>
    startCommand("cmd/generator/main.ts", { args, env: { NATS_URL: nats.url, DATABASE_URL } });

  test("publishes events of a registered type for a client, each run as a source of its own", async () => {
    const args = [
      "--type",
      "monitor-app",
      "--client",
      "lucky-spin",
      "--count",
      "5",
      "--rate",
      "1000",
      "--seed",
      "1",
    ];
    const codes = await Promise.all([run(...args).ended, run(...args).ended]);
    expect(codes.map(({ code }) => code)).toEqual([0, 0]);
    const { state } = await jsm.streams.info("CASINO_RAW", { subjects_filter: ">" });
    expect(state.subjects).toEqual({ "casino.event.raw.lucky-spin": 10 });
    const message = await jsm.streams.getMessage("CASINO_RAW", { seq: 1 });
    expect(message?.json()).toMatchObject({ id: 1, type: "monitor-app", data: { app: expect.any(String) } });
  });

  test("says which types there are when there is no such type, and exits with 78", async () => {
    const command = run("--type", "jackpot", "--client", "acme-casino");
    expect(await command.ended).toEqual({ code: 78, signal: null });
    expect(command.stderr).toMatch(
      /^generator: There is no type jackpot for client acme-casino: "croupier event-types list" shows those beside game_start, game_stop, bet, deposit\.$/m,
    );
  });

  test("refuses a client or a type that there is not, with what was meant, all at once", async () => {
    const asked = [
      { client: "acme-csino", type: undefined },
      { client: "nobody", type: "bet" },
      { client: "acme-casino", type: "monitor-ap" },
      { client: "lucky-spin", type: "monitor-app" },
    ];
    await expect(checkProducers(db, asked)).rejects.toMatchObject({
      problems: [
        "There is no client acme-csino: did you mean acme-casino?",
        'There is no client nobody: "croupier clients list" shows them.',
        "There is no type monitor-ap for client acme-casino: did you mean monitor-app?",
      ],
    });
  });

  test("needs no database for the casino's own types", async () => {
    const command = startCommand("cmd/generator/main.ts", {
      args: ["--type", "bet", "--count", "1"],
      env: { NATS_URL: nats.url, DATABASE_URL: "postgres://casino@127.0.0.1:1/casino" },
    });
    expect(await command.ended).toEqual({ code: 0, signal: null });
  });
});
