import { beforeEach, expect, test } from "vitest";
import { waitFor } from "../../../test/harness/wait-for.ts";
import { CursorError } from "../../archive/cursor.ts";
import { addClient } from "../../clients/client-repository.ts";
import { Unavailable } from "../../service/unavailable.ts";
import { gatewaysOfFile, keyFor } from "../gateway.fixture.ts";
import type { FindEvents } from "./get-events.ts";

const { db, key, openGateway } = await gatewaysOfFile("reader");
const asked: unknown[] = [];

beforeEach(() => void asked.splice(0));

async function get(query: string, find?: FindEvents) {
  const { app } = await openGateway({
    findEvents:
      find ??
      (async (filter) => {
        asked.push(filter);
        return { events: [], next_cursor: "next" };
      }),
  });
  const response = await app.inject({ url: `/events${query}`, headers: { authorization: `Bearer ${key}` } });
  return { status: response.statusCode, headers: response.headers, body: response.json() };
}

test("asks for the latest 100 events of the key's client", async () => {
  expect(await get("")).toMatchObject({ status: 200, body: { events: [], next_cursor: "next" } });
  expect(asked).toEqual([{ client: "casino", limit: 100 }]);
});

test("passes the filters on, times in the one form; other names are ignored", async () => {
  const query =
    "?type=bet&player_id=9007199254740991&from=2022-01-10T12:34:56%2B01:00&to=2022-01-11T00:00:00.5Z&limit=1000" +
    "&cursor=abc&client=lucky&client_id=lucky&__proto__=x";
  expect((await get(query)).status).toBe(200);
  expect(asked).toEqual([
    {
      client: "casino",
      type: "bet",
      playerId: 2 ** 53 - 1,
      from: "2022-01-10T11:34:56.000Z",
      to: "2022-01-11T00:00:00.500Z",
      limit: 1_000,
      cursor: "abc",
    },
  ]);
  await get("?from=2022-01-10T12:34:56+01:00");
  expect(asked[1]).toMatchObject({ from: "2022-01-10T11:34:56.000Z" });
});

test.each([
  ["type=A", 'type must be of the form [a-z0-9_-]{1,40}, not "A".'],
  ["type=", 'type must be of the form [a-z0-9_-]{1,40}, not "".'],
  ["type=bet&type=deposit", 'type must be of the form [a-z0-9_-]{1,40}, not ["bet","deposit"].'],
  ["player_id=0", 'player_id must be an integer from 1 to 2^53-1, not "0".'],
  ["player_id=9007199254740992", 'player_id must be an integer from 1 to 2^53-1, not "9007199254740992".'],
  ["player_id=1.5", 'player_id must be an integer from 1 to 2^53-1, not "1.5".'],
  ["player_id=1e3", 'player_id must be an integer from 1 to 2^53-1, not "1e3".'],
  ["limit=1001", 'limit must be an integer from 1 to 1000, not "1001".'],
  ["limit=-1", 'limit must be an integer from 1 to 1000, not "-1".'],
  [
    "from=2022-02-30T00:00:00Z",
    /^from must be an existing RFC 3339 date-time such as .*, not "2022-02-30T00:00:00Z"\.$/,
  ],
  ["to=yesterday", /^to must be an existing RFC 3339 date-time/],
  ["limit=x&player_id=y", /^player_id must .*\. limit must .*\.$/],
] as const)("%s is a 400 with a sentence for each problem", async (query, detail) => {
  const answer = await get(`?${query}`);
  expect(answer).toMatchObject({
    status: 400,
    headers: { "content-type": "application/problem+json" },
    body: { title: "Bad Request" },
  });
  expect(answer.body.detail).toMatch(detail);
  expect(asked).toEqual([]);
});

test("a cursor that is none is a 400, an archive that is away a 503", async () => {
  expect(await get("?cursor=x", () => Promise.reject(new CursorError()))).toMatchObject({
    status: 400,
    body: { detail: "cursor must be a next_cursor of an earlier answer." },
  });
  expect(await get("", () => Promise.reject(new Unavailable("Postgres is away: secret")))).toMatchObject({
    status: 503,
    headers: { "retry-after": "2" },
    body: { detail: "The archive does not answer at the moment: try again shortly." },
  });
});

test("an archive that takes too long is cut", async () => {
  let signal: AbortSignal | undefined;
  await get("", async (_filter, given) => {
    signal = given;
    return { events: [], next_cursor: null };
  });
  expect(signal).toBeInstanceOf(AbortSignal);
});

test("queries of one client that take long hold up no other client's", async () => {
  const hanging = Promise.withResolvers<void>();
  const began: string[] = [];
  const { app } = await openGateway({
    findEvents: async ({ client }) => {
      began.push(client);
      if (client === "casino") await hanging.promise;
      return { events: [], next_cursor: null };
    },
  });
  const ask = (owner: string) =>
    app.inject({ url: "/events", headers: { authorization: `Bearer ${owner}` } });
  const second = await keyFor(db, "second");
  await addClient(db, "other", "Other");
  const other = await keyFor(db, "reader", "other");
  const slow = Array.from({ length: 40 }, (_, i) => ask(i % 2 === 0 ? key : second));
  await waitFor(() => began.length === 2);
  expect((await ask(other)).statusCode).toBe(200);
  const refused = await Promise.race(slow);
  expect(refused.statusCode).toBe(429);
  expect(refused.headers["retry-after"]).toBe("1");
  expect(began.filter((client) => client === "casino")).toHaveLength(2);
  hanging.resolve();
  const statuses = (await Promise.all(slow)).map(({ statusCode }) => statusCode);
  // Two at work, 32 waiting.
  expect(statuses.filter((status) => status === 200)).toHaveLength(34);
});
