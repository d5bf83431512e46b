import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { text } from "node:stream/consumers";
import { sql } from "kysely";
import { beforeEach, describe, expect, test } from "vitest";
import { waitFor } from "../../../test/harness/wait-for.ts";
import { prefixOf } from "../../clients/api-key.ts";
import { createKey, revokeKey } from "../../clients/client-repository.ts";
import { type PlayerRecord, playerKind } from "../../players/player-kind.ts";
import { postgresRecords } from "../../records/postgres-records.ts";
import type { RecordStore } from "../../records/record.ts";
import { Unavailable } from "../../service/unavailable.ts";
import { askerOf, gatewaysOfFile, keyFor } from "../gateway.fixture.ts";

const { db, key, openGateway } = await gatewaysOfFile("crm");
const otherKey = await keyFor(db, "crm", "lucky-spin");
const operator = (await createKey(db, "operator")) ?? "";
const store = postgresRecords(db, playerKind);
const { signal } = new AbortController();

beforeEach(() => sql`delete from players`.execute(db));

type Method = "GET" | "PUT" | "POST" | "DELETE";

/** Asks a new gateway. */
const asker = async (players?: RecordStore<PlayerRecord>) =>
  askerOf(await openGateway(players && { players }), key);

const player = (id: number, email = `${id}@example.com`, last_signed_in_at: string | null = null) => ({
  id,
  email,
  last_signed_in_at,
});
const idsOf = async (client = "casino") => (await store.list(client, 0, 10_000, signal)).map(({ id }) => id);

describe("one player", () => {
  test("is put, replaced whole, read and deleted, for the key's client alone", async () => {
    const ask = await asker();
    const signedIn = player(10, "john@example.com", "2022-01-10T11:34:56.000Z");
    const given = { email: "john@example.com", last_signed_in_at: "2022-01-10T12:34:56+01:00" };
    expect(await ask("PUT", "/players/10", given)).toMatchObject({ status: 201, body: signedIn });
    expect(await ask("GET", "/players/10")).toMatchObject({ status: 200, body: signedIn });
    const replaced = player(10, "j@example.com");
    const again = { id: 10, email: "j@example.com", unknown: 1 };
    expect(await ask("PUT", "/players/10", again)).toMatchObject({ status: 200, body: replaced });
    expect((await ask("GET", "/players/10")).body).toEqual(replaced);

    expect((await ask("GET", "/players/10", undefined, { as: otherKey })).status).toBe(404);
    expect((await ask("DELETE", "/players/10", undefined, { as: otherKey })).status).toBe(404);
    expect(await ask("DELETE", "/players/10")).toMatchObject({ status: 204, body: undefined });
    expect(await ask("DELETE", "/players/10")).toMatchObject({
      status: 404,
      body: { detail: "This API key's client has no player 10." },
    });
    expect((await ask("GET", "/players/10")).status).toBe(404);
  });

  test.each<[string, Method, string, unknown, number, object]>([
    [
      "of another id",
      "PUT",
      "/players/10",
      player(11),
      400,
      { detail: /differs from the id 10 in the path/ },
    ],
    ["without an e-mail", "PUT", "/players/10", {}, 400, { errors: [{ path: "/email" }] }],
    ["that is none", "PUT", "/players/10", [], 400, { errors: [{ path: "", message: "must be object" }] }],
    ["that is no JSON", "PUT", "/players/10", "{", 400, { detail: "The body is not JSON in UTF-8." }],
    ["that is no UTF-8", "PUT", "/players/10", Buffer.from([0x22, 0xff, 0x22]), 400, { detail: /UTF-8/ }],
    ["without a body", "PUT", "/players/10", undefined, 415, { detail: /must be application\/json/ }],
    ["with the id 0", "GET", "/players/0", undefined, 400, { detail: /integer from 1 to 2\^53-1/ }],
    ["with an id beyond", "DELETE", "/players/9007199254740992", undefined, 400, { detail: /2\^53-1/ }],
    ["with a name for an id", "PUT", "/players/john", player(1), 400, { detail: /2\^53-1/ }],
  ])("%s is refused: %s %s", async (_what, method, url, body, status, expected) => {
    const answer = await (await asker())(method, url, body);
    expect(answer.status).toBe(status);
    expect(answer.headers["content-type"]).toBe("application/problem+json");
    expect(answer.body).toMatchObject(
      Object.fromEntries(
        Object.entries(expected).map(([name, value]) => [
          name,
          value instanceof RegExp ? expect.stringMatching(value) : value,
        ]),
      ),
    );
    expect(await idsOf()).toEqual([]);
  });
});

test("players are listed by id, a page at a time, each once", async () => {
  const ask = await asker();
  await store.put("lucky-spin", [player(3)], signal);
  await store.put(
    "casino",
    [9, 5, 1, 2 ** 53 - 1].map((id) => player(id)),
    signal,
  );
  const page = async (query: string) => (await ask("GET", `/players${query}`)).body;
  expect(await page("?limit=2")).toEqual({ players: [player(1), player(5)], next_cursor: "5" });
  await store.remove("casino", 5, signal);
  expect(await page("?limit=2&cursor=5")).toEqual({
    players: [player(9), player(2 ** 53 - 1)],
    next_cursor: null,
  });
  expect((await page("")).players).toHaveLength(3);
  expect((await ask("GET", "/players?limit=1001&cursor=x")).status).toBe(400);
});

describe("many players", () => {
  test("come as an array, and what is invalid is named", async () => {
    const ask = await asker();
    expect(await ask("POST", "/players", [player(1), player(2)])).toMatchObject({
      status: 200,
      body: { accepted: 2, rejected: [] },
    });
    expect(await ask("POST", "/players", [player(2, "new@x"), { id: 3 }, null])).toMatchObject({
      status: 207,
      body: {
        accepted: 1,
        rejected: [
          { index: 1, errors: [{ path: "/email", message: "must have required property 'email'" }] },
          { index: 2, errors: [{ path: "", message: "must be object" }] },
        ],
      },
    });
    expect(await ask("POST", "/players", [{}])).toMatchObject({ status: 400, body: { accepted: 0 } });
    expect(await ask("POST", "/players", player(4))).toMatchObject({ status: 200, body: { accepted: 1 } });
    expect(await idsOf()).toEqual([1, 2, 4]);
    expect(await store.find("casino", 2, signal)).toEqual(player(2, "new@x"));
  });

  test("of an array are a thousand at most, and an empty one is refused", async () => {
    const ask = await asker();
    const some = (count: number) => Array.from({ length: count }, (_, i) => player(i + 1));
    expect((await ask("POST", "/players", some(1_001))).status).toBe(413);
    expect(await idsOf()).toEqual([]);
    expect(await ask("POST", "/players", some(1_000))).toMatchObject({ body: { accepted: 1_000 } });
    expect((await ask("POST", "/players", [])).body.detail).toBe("The body holds no player.");
    expect((await ask("POST", "/players", "x", { type: "text/csv" })).status).toBe(415);
  });

  test("come as lines of any number; the index is the line's", async () => {
    const ask = await asker();
    const lines = Array.from({ length: 5_000 }, (_, i) => JSON.stringify(player(i + 1)));
    lines.splice(1, 0, "", "nonsense", `"${"x".repeat(64 * 1024)}"`);
    const type = "application/x-ndjson";
    expect(await ask("POST", "/players", lines.join("\n"), { type })).toMatchObject({
      status: 207,
      body: {
        accepted: 5_000,
        rejected: [
          { index: 2, errors: [{ path: "", message: "must be JSON in UTF-8" }] },
          { index: 3, errors: [{ path: "", message: "must be at most 65536 bytes" }] },
        ],
      },
    });
    expect(await idsOf()).toHaveLength(5_000);
  });

  test("as lines are stored while more come", async () => {
    const { origin } = await openGateway();
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/x-ndjson" };
    const sending = httpRequest(`${await origin()}/players`, { method: "POST", headers });
    const answer = once(sending, "response");
    sending.write(`${JSON.stringify(player(1))}\n`);
    await waitFor(async () => (await idsOf()).length === 1);
    sending.end(`${JSON.stringify(player(2))}`);
    const [response] = await answer;
    expect(JSON.parse(await text(response))).toEqual({ accepted: 2, rejected: [] });
  });

  test("are not taken with a key that was revoked while their body came", async () => {
    const revoked = await keyFor(db, "revoked");
    const { origin } = await openGateway();
    const url = `${await origin()}/players`;
    const headers = { authorization: `Bearer ${revoked}` };
    const sending = httpRequest(url, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
    });
    const answer = once(sending, "response");
    sending.write("[");
    await waitFor(async () => (await fetch(url, { headers })).status === 200);
    await revokeKey(db, prefixOf(revoked));
    // Which it is once the gateway has looked at it again, 3 s after the upload began.
    await waitFor(async () => (await fetch(url, { headers })).status === 403);
    sending.end(`${JSON.stringify(player(1))}]`);
    const [response] = await answer;
    expect(response.statusCode).toBe(403);
    await text(response);
    expect(await idsOf()).toEqual([]);
  });

  test("while Postgres is away are a 503 that says what is stored", async () => {
    let batches = 0;
    const ask = await asker({
      ...store,
      put: async (...given) => {
        if (++batches === 2) throw new Unavailable("Postgres is away: secret");
        return store.put(...given);
      },
    });
    const answer = await ask(
      "POST",
      "/players",
      Array.from({ length: 700 }, (_, i) => player(i + 1)),
    );
    expect(answer).toMatchObject({
      status: 503,
      headers: { "retry-after": "2" },
      body: { detail: "The players cannot be reached at the moment: try again shortly.", accepted: 500 },
    });
    expect(await idsOf()).toHaveLength(500);
  });
});

const everyRoute: readonly [Method, string, object | undefined][] = [
  ["GET", "/players", undefined],
  ["GET", "/players/10", undefined],
  ["PUT", "/players/10", { email: "a@b" }],
  ["POST", "/players", [player(10)]],
  ["DELETE", "/players/10", undefined],
];

test.each(everyRoute)(
  "%s %s wants a producer's key, and is a 503 while Postgres is away",
  async (method, url, body) => {
    const away = () => Promise.reject(new Unavailable("Postgres is away: secret"));
    const ask = await asker({ put: away, find: away, list: away, remove: away });
    expect(await ask(method, url, body, { as: operator })).toMatchObject({
      status: 403,
      body: {
        detail: "An operator's key belongs to no client: use a key of the client whose players these are.",
      },
    });
    expect((await ask(method, url, body, { as: "nonsense" })).status).toBe(401);
    const answer = await ask(method, url, body);
    expect(answer).toMatchObject({ status: 503, headers: { "retry-after": "2" } });
    expect(JSON.stringify(answer.body)).not.toContain("secret");
  },
);

test("games have the same routes", async () => {
  const ask = await asker();
  const dice = { id: 200, title: 'Dice "n" Roll' };
  expect(await ask("PUT", "/games/200", { title: dice.title })).toMatchObject({ status: 201, body: dice });
  expect(await ask("POST", "/games", [{ id: 201, title: "Wheel" }, { id: 202 }])).toMatchObject({
    status: 207,
    body: { accepted: 1, rejected: [{ index: 1, errors: [{ path: "/title" }] }] },
  });
  expect((await ask("GET", "/games?cursor=199")).body).toEqual({
    games: [dice, { id: 201, title: "Wheel" }],
    next_cursor: null,
  });
  expect((await ask("GET", "/games/200", undefined, { as: otherKey })).body.detail).toBe(
    "This API key's client has no game 200.",
  );
  expect((await ask("DELETE", "/games/200")).status).toBe(204);
  expect((await ask("GET", "/games/200")).status).toBe(404);
  expect((await ask("GET", "/games", undefined, { as: operator })).body.detail).toContain("whose games");
});

test("statements of one client that take long hold up no other client's", async () => {
  const hanging = Promise.withResolvers<void>();
  let began = 0;
  const ask = await asker({
    ...store,
    find: async (client, ...more) => {
      if (client === "casino") {
        began++;
        await hanging.promise;
      }
      return store.find(client, ...more);
    },
  });
  const slow = Array.from({ length: 5 }, () => ask("GET", "/players/1"));
  await waitFor(() => began === 2);
  expect((await ask("GET", "/players/1", undefined, { as: otherKey })).status).toBe(404);
  expect(began).toBe(2);
  hanging.resolve();
  expect((await Promise.all(slow)).map(({ status }) => status)).toEqual([404, 404, 404, 404, 404]);
});
