import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { defaultLimits } from "../../test/harness/broker.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { encodeEvent } from "../casino/encode.ts";
import type { CasinoEvent } from "../casino/event.ts";
import { ensureStreams } from "../jetstream/topology.ts";
import { deadStream, finalStage } from "../messages/subjects.ts";
import { archiversForTest, events } from "./archiver.fixture.ts";
import { archiverDurable } from "./archiver.ts";
import { finalBet } from "./database.fixture.ts";
import { findEvents } from "./find-events.ts";

const { allSettled, db, hasRows, jsm, letters, nc, publish, publishBets, publisher, rows, start } =
  await archiversForTest();

describe("an event becomes a row", () => {
  test("with its rate, its times and whose it is; other types with what they have", async () => {
    await start();
    const player = { email: "john@example.com", last_signed_in_at: "2022-01-09T00:00:00.000Z" };
    const bet = finalBet(1, { player });
    const rated = { "Casino-Rate": "1.0683", "Casino-Rate-At": "2022-01-10T12:34:00.123Z" };
    await publish(bet, { headers: rated });
    const login = {
      id: 2,
      type: "login",
      created_at: bet.created_at,
      data: { b: 1, a: [] },
      description: "d",
    };
    await publish(login, { client: "other", type: "login", headers: rated });
    await hasRows(2);
    const { rows: kept } = await sql`
      select client_id, id, rate, rate_at = ${rated["Casino-Rate-At"]}::timestamptz as rate_at,
        now() - stored_at < interval '1 minute' as stored_at
      from events order by id`.execute(db);
    expect(kept).toEqual([
      { client_id: "casino", id: "1", rate: "1.0683", rate_at: true, stored_at: true },
      { client_id: "other", id: "2", rate: null, rate_at: null, stored_at: true },
    ]);
    const page = await findEvents(db, { client: "casino", limit: 10 });
    const found = {
      ...JSON.parse(Buffer.from(encodeEvent(bet)).toString()),
      client_id: "casino",
      source: "test",
    };
    expect(JSON.stringify(page.events)).toBe(JSON.stringify([found]));
  });

  test("once, however often and under whatever message ids it is published", async () => {
    await start();
    await publishBets(1, 1_500);
    await hasRows(1_499);
    await Promise.all([publishBets(1, 2_000), publishBets(1, 2_000)]);
    await allSettled();
    expect(await rows()).toEqual({ rows: 1_999, ids: 1_999 });
    expect(await letters()).toEqual([]);
  });

  test("of each client and source for itself", async () => {
    await start();
    await publish(finalBet(1));
    await publish(finalBet(1), { client: "other" });
    await publish(finalBet(2));
    await allSettled();
    expect(await rows()).toEqual({ rows: 3, ids: 3 });
  });

  test("as large as the broker takes them, many at once", async () => {
    const data = { text: "x".repeat(900_000) };
    const large = (id: number) => ({
      id,
      type: "login",
      created_at: finalBet(1).created_at,
      data,
      description: "d",
    });
    for (let id = 1; id <= 20; id++) await publish(large(id), { type: "login" });
    await start();
    await hasRows(20);
    await allSettled();
  });
});

describe("one bad row does not keep its batch", () => {
  const payload = (event: CasinoEvent) => Buffer.from(encodeEvent(event)).toString();
  const bad: readonly (readonly [string, string, string, Parameters<typeof publish>])[] = [
    ["a client that is not registered", "unknown_client", "client", [finalBet(7), { client: "nobody" }]],
    [
      "a type that is not registered",
      "unknown_type",
      "type",
      [
        { id: 7, type: "logout", created_at: finalBet(1).created_at, data: {}, description: "d" },
        { type: "logout" },
      ],
    ],
    ["no JSON", "invalid_json", "JSON", ["{"]],
    ["no event", "invalid_event", "/created_at", ['{"id":7,"type":"bet"}']],
    [
      "no description",
      "invalid_event",
      "/description",
      [payload(finalBet(7)).replace('"description"', '"d"')],
    ],
    [
      "no amount in EUR",
      "invalid_event",
      "/amount_eur",
      [payload(finalBet(7)).replace('"amount_eur"', '"d"')],
    ],
    [
      "an impossible source",
      "invalid_event",
      "Casino-Source",
      [finalBet(7), { headers: { "Casino-Source": "a b" } }],
    ],
  ];
  test.each(bad)("%s is set aside as %s", async (_what, reason, word, message) => {
    await publishBets(100, 600);
    const [body, options = {}] = message;
    await publish(body, options);
    await publishBets(600, 1_100);
    await start();
    await hasRows(1_000);
    await allSettled();
    const found = await letters();
    expect(found).toMatchObject([{ reason, subject: `casino.dead.archiver.${options.client ?? "casino"}` }]);
    expect(found[0]?.because).toContain(word);
    expect(found[0]?.text).toBe(typeof body === "string" ? body : payload(body as CasinoEvent));
  });

  test("many bad rows among good ones, each set aside once", async () => {
    for (let id = 1; id <= 1_000; id++)
      void publish(finalBet(id), id % 10 === 0 ? { client: "nobody" } : { client: "casino" });
    await waitFor(() => publisher.pending === 0);
    await start();
    await allSettled();
    expect(await rows()).toEqual({ rows: 900, ids: 900 });
    expect(await letters()).toHaveLength(100);
  });

  test("waits with a bad row while its dead letter cannot be stored, others pass", async () => {
    await jsm.streams.delete(deadStream);
    await start();
    await publish("{");
    await publishBets(1, 101);
    await hasRows(100);
    const { num_ack_pending } = await jsm.consumers.info(events, archiverDurable.name);
    expect(num_ack_pending).toBeGreaterThan(0);
    await ensureStreams(nc, [finalStage], defaultLimits);
    await allSettled();
    expect(await letters()).toMatchObject([{ reason: "invalid_json" }]);
  });
});
