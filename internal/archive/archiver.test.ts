import { sql } from "kysely";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { connectForTest, defaultLimits, silent } from "../../test/harness/broker.ts";
import { natsForTest, postgresForTest } from "../../test/harness/infrastructure.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { encodeEvent } from "../casino/encode.ts";
import type { CasinoEvent } from "../casino/event.ts";
import { Publisher } from "../jetstream/publisher.ts";
import { deadStream, finalStage, stageStream, stageSubject } from "../jetstream/subjects.ts";
import { ensureStreams } from "../jetstream/topology.ts";
import { OutgoingHeaders } from "../jetstream/wire-headers.ts";
import { Archiver, archiverDurable } from "./archiver.ts";
import { addClients, addTypes, archiveForTest, finalBet } from "./database.fixture.ts";
import { findEvents } from "./find-events.ts";

const nats = await natsForTest();
const postgres = await postgresForTest();
const { nc, jsm } = await connectForTest(nats);
const db = await archiveForTest(postgres.url);
await addClients(db, "other");
await addTypes(db, "login");
const publisher = new Publisher(nc);
const archivers: Archiver[] = [];
const events = stageStream(finalStage);

beforeEach(async () => {
  await sql`truncate events`.execute(db);
  await ensureStreams(nc, [finalStage], defaultLimits);
});
afterEach(async () => {
  await Promise.all(archivers.splice(0).map((archiver) => archiver.stop()));
  for (const stream of [events, deadStream]) await jsm.streams.delete(stream);
});

async function start(): Promise<Archiver> {
  // What was on its way when a server was killed comes again that soon.
  const archiver = await Archiver.start({ nc, db, publisher, log: silent, ackWaitMs: 2_000 });
  archivers.push(archiver);
  return archiver;
}

let sent = 0;
/** Publishes a message of the final stage, under an id of its own: as one sent again after the stream's window. */
async function publish(
  payload: CasinoEvent | string | Uint8Array,
  {
    client = "casino",
    type = "bet",
    headers = {},
  }: { client?: string; type?: string; headers?: Record<string, string> } = {},
): Promise<void> {
  const out = new OutgoingHeaders().add("Nats-Msg-Id", `test:${++sent}`);
  for (const [name, value] of Object.entries({ "Casino-Source": "test", ...headers })) out.add(name, value);
  await publisher.publish({
    subject: stageSubject(finalStage, client, type),
    payload:
      typeof payload === "string"
        ? Buffer.from(payload)
        : payload instanceof Uint8Array
          ? payload
          : encodeEvent(payload),
    headers: out,
  });
}
const publishBets = (from: number, to: number) =>
  Promise.all(Array.from({ length: to - from }, (_, i) => publish(finalBet(from + i))));

/** How many rows there are, and of how many ids. */
async function rows(): Promise<{ rows: number; ids: number }> {
  const { rows } = await sql<{ rows: number; ids: number }>`
    select count(*)::int as rows, count(distinct (client_id, source, id))::int as ids from events`.execute(
    db,
  );
  return rows[0] ?? expect.fail("no count");
}
const hasRows = (count: number) =>
  waitFor(async () => (await rows()).rows === count, { timeout: 30_000, what: `${count} rows` });

/** Everything delivered is settled. */
const allSettled = () =>
  waitFor(
    async () => {
      const { num_pending, num_ack_pending } = await jsm.consumers.info(events, archiverDurable.name);
      return num_pending + num_ack_pending === 0;
    },
    { timeout: 30_000, what: "everything settled" },
  );

/** The dead letters so far, in the order they were stored. */
async function letters() {
  const { state } = await jsm.streams.info(deadStream);
  const found = [];
  for (let seq = state.first_seq; state.messages > 0 && seq <= state.last_seq; seq++) {
    const message = await jsm.streams.getMessage(deadStream, { seq });
    if (message === null) continue;
    const header = (name: string) => message.header.get(name);
    found.push({
      subject: message.subject,
      text: message.string(),
      reason: header("Casino-Dead-Reason"),
      because: header("Casino-Dead-Error"),
      source: header("Casino-Source"),
    });
  }
  return found;
}

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
    [
      "a value beyond what Postgres holds",
      "invalid_event",
      "overflow",
      [finalBet(7), { headers: { "Casino-Rate": "1e200000", "Casino-Rate-At": "2022-01-10T12:34:00Z" } }],
    ],
    [
      "a rate that is no number",
      "invalid_event",
      "Casino-Rate",
      [finalBet(7), { headers: { "Casino-Rate": "NaN" } }],
    ],
    [
      "a time of a rate that is none",
      "invalid_event",
      "Casino-Rate-At",
      [finalBet(7), { headers: { "Casino-Rate": "1" } }],
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

describe("an outage", () => {
  test("of Postgres, killed under load: holds what it has, sets nothing aside, goes on", async () => {
    const archiver = await start();
    const publishing = publishBets(1, 10_001);
    await waitFor(async () => (await rows()).rows > 0);
    await postgres.kill();
    await publishing;
    await waitFor(() => archiver.problem);
    // It holds no more than it has room for, and handed nothing back.
    const { num_ack_pending, num_redelivered } = await jsm.consumers.info(events, archiverDurable.name);
    expect(num_ack_pending).toBeLessThan(10_000);
    expect(num_redelivered).toBe(0);
    await postgres.start();
    await hasRows(10_000);
    await allSettled();
    expect(await rows()).toEqual({ rows: 10_000, ids: 10_000 });
    expect(archiver.problem).toBeUndefined();
    expect(await letters()).toEqual([]);
  });

  test("of Postgres, over a stop: what it held is handed back, the next one archives it", async () => {
    await postgres.kill();
    onTestFinished(() => postgres.start());
    const archiver = await start();
    await publishBets(1, 101);
    await waitFor(() => archiver.problem);
    await archiver.stop();
    await postgres.start();
    await start();
    await hasRows(100);
    expect(await letters()).toEqual([]);
  });

  test("of tables that are not there yet: waits for them", async () => {
    await sql`alter table events rename to elsewhere`.execute(db);
    const archiver = await start();
    await publishBets(1, 11);
    await waitFor(() => archiver.problem);
    await sql`alter table elsewhere rename to events`.execute(db);
    await hasRows(10);
    expect(await letters()).toEqual([]);
  });

  test("of NATS, killed under load: every event is a row, once", async () => {
    await start();
    const publishing = publishBets(1, 10_001);
    await waitFor(async () => (await rows()).rows > 0);
    await nats.kill();
    await nats.start();
    await publishing;
    await hasRows(10_000);
    await allSettled();
    expect(await rows()).toEqual({ rows: 10_000, ids: 10_000 });
    expect(await letters()).toEqual([]);
  });
});

describe("several archivers", () => {
  test("share the work, also on the same keys, without locking each other out", async () => {
    await Promise.all([start(), start(), start()]);
    await Promise.all([publishBets(1, 3_001), publishBets(1, 3_001), publishBets(1, 3_001)]);
    await allSettled();
    expect(await rows()).toEqual({ rows: 3_000, ids: 3_000 });
    expect(await letters()).toEqual([]);
  });

  test("one that is gone with its batch leaves nothing out", async () => {
    // Delivers all again, as after a crash between commit and acknowledgement.
    await start();
    await publishBets(1, 1_001);
    await hasRows(1_000);
    await jsm.consumers.delete(events, archiverDurable.name);
    await publishBets(1_001, 2_001);
    await hasRows(2_000);
    await allSettled();
    expect(await rows()).toEqual({ rows: 2_000, ids: 2_000 });
  });
});
