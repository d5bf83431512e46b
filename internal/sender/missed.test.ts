import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "kysely";
import { expect, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { lockTable } from "../../test/harness/locked-table.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { Archiver } from "../archive/archiver.ts";
import { requestReplay, requestResend } from "../webhooks/delivery-requests.ts";
import { receiverForTest } from "../webhooks/receiver.fixture.ts";
import { bets, hasAll, idsOf, range, sendersForTest } from "./sender.fixture.ts";

const {
  addDestination,
  count,
  db,
  destinations,
  jsm,
  nc,
  outcomes,
  publish,
  publishBets,
  publisher,
  server,
  startSender,
  waiting,
} = await sendersForTest();

const archived = (events: number) =>
  waitFor(
    async () => {
      const { n } = await db
        .selectFrom("events")
        .select((of) => of.fn.countAll<string>().as("n"))
        .executeTakeFirstOrThrow();
      return Number(n) === events;
    },
    { what: `${events} archived events` },
  );

async function withArchiver(work: () => Promise<void>): Promise<void> {
  const archiver = await Archiver.start({ nc, db, publisher, log: silent });
  try {
    await work();
  } finally {
    await archiver.stop();
  }
}

/** Drops the log's oldest messages, as its limit of age does. */
const forget = (keep: number) => jsm.streams.purge("CASINO_EVENTS", { keep });

test("what the log has dropped before a destination came to it is brought from the archive, and once", async () => {
  const receiver = await receiverForTest();
  const { id } = await addDestination(receiver.url, { batch: 100 });
  await withArchiver(async () => {
    const first = startSender();
    await publishBets(1, 11);
    await hasAll(receiver.received, range(1, 11));
    await waitFor(async () => (await outcomes(id)).delivered === 10);
    await first.stop();
    await publishBets(11, 1_500);
    await publish(bets(2_000, 2_010), "casino");
    await archived(1_509);
    await forget(5);
    startSender();
    await hasAll(receiver.received, [...range(1, 1_500), ...range(2_000, 2_010)]);
    await waitFor(async () => (await waiting()) === 0);
  });
  const ids = idsOf(receiver.received);
  expect(ids.filter((each) => each <= 10)).toHaveLength(10);
});

test("a destination that failed while the log went on, and was disabled meanwhile, gets everything", async () => {
  let isBack = false;
  const receiver = await receiverForTest((response) => response.writeHead(isBack ? 204 : 503).end());
  const { id } = await addDestination(receiver.url, { types: ["bet"] });
  await withArchiver(async () => {
    startSender({ plan: [200, 60_000, 60_000] });
    await publishBets(1, 401);
    await publish(bets(401, 411, { type: "deposit" }));
    await archived(410);
    await waitFor(() => receiver.received.length >= 5);
    await forget(1);
    await destinations.update(id, undefined, { enabled: false });
    await publishBets(700, 720);
    await archived(430);
    await forget(0);
    isBack = true;
    await destinations.update(id, undefined, { enabled: true });
    const tried = new Set(idsOf(receiver.received));
    await hasAll(
      receiver.received,
      [...range(1, 401), ...range(700, 720)].filter((each) => !tried.has(each)),
    );
  });
  expect(idsOf(receiver.received).some((each) => each > 400 && each < 411)).toBe(false);
});

test("what the log has dropped is brought even if each look into the archive takes longer than a claim is renewed", async () => {
  const receiver = await receiverForTest();
  const { id } = await addDestination(receiver.url);
  const first = startSender();
  await publishBets(1, 2);
  await waitFor(async () => (await outcomes(id)).delivered === 1);
  await waitFor(async () => {
    const places = await db.selectFrom("destination_places").select("log_sequence").execute();
    return places[0]?.log_sequence === "1";
  });
  await first.stop();
  // More than one look covers.
  await jsm.streams.purge("CASINO_EVENTS", { seq: 8_000 });
  await withArchiver(async () => {
    await publishBets(2, 4);
    await archived(2);
  });
  await forget(0);
  const slow = new Set<object>();
  const slowly = db.withPlugin({
    transformQuery: ({ node, queryId }) => {
      if (JSON.stringify(node).includes("order by log_sequence")) slow.add(queryId);
      return node;
    },
    transformResult: async ({ result, queryId }) => {
      if (slow.has(queryId)) await sleep(3_000);
      return result;
    },
  });
  startSender({ db: slowly });
  await hasAll(receiver.received, [2, 3], 15_000);
});

test("one event is sent again, and those of a time replayed, on request", async () => {
  const receiver = await receiverForTest();
  const destination = await addDestination(receiver.url);
  await withArchiver(async () => {
    startSender();
    await publishBets(1, 21);
    await archived(20);
    await waitFor(async () => (await outcomes(destination.id)).delivered === 20);
    const before = receiver.received.find((call) => idsOf([call])[0] === 5);
    await requestResend(db, destination, { source: "test", id: 5 });
    await waitFor(() => idsOf(receiver.received).length === 21);
    expect(receiver.received.at(-1)?.headers["webhook-id"]).toBe(before?.headers["webhook-id"]);
    expect(receiver.received.at(-1)?.body).toBe(before?.body);
    await requestResend(db, destination, { source: "test", id: 999 });
    const all = { from: new Date(0), to: new Date(Date.now() + 60_000), types: null };
    await requestReplay(db, destination, { ...all, onlyUndelivered: true });
    await requestReplay(db, destination, { ...all, onlyUndelivered: false });
    await waitFor(() => idsOf(receiver.received).length === 41);
    await waitFor(async () => {
      const open = await db
        .selectFrom("delivery_requests")
        .select("id")
        .where("done_at", "is", null)
        .execute();
      return open.length === 0;
    });
    const done = await db.selectFrom("delivery_requests").select(["sent", "error"]).orderBy("id").execute();
    expect(done).toEqual([
      { sent: "1", error: null },
      { sent: "0", error: "The archive does not have this event, or no longer has it." },
      { sent: "0", error: null },
      { sent: "20", error: null },
    ]);
    expect(await count("CASINO_EVENTS")).toBe(20);
  });
});

test("the requests of one destination do not hold up those of another", async () => {
  const receiver = await receiverForTest();
  const destination = await addDestination(receiver.url);
  const disabled = await addDestination(receiver.url, { enabled: false });
  await withArchiver(async () => {
    startSender();
    await publishBets(1, 2);
    await archived(1);
    await hasAll(receiver.received, [1]);
  });
  await Promise.all(range(0, 100).map(() => requestResend(db, disabled, { source: "test", id: 1 })));
  await requestResend(db, destination, { source: "test", id: 1 });
  await waitFor(() => receiver.received.length === 2, { timeout: 10_000 });
});

test("a stop waits for no broker that went away while events were brought from the archive", async () => {
  const receiver = await receiverForTest();
  const destination = await addDestination(receiver.url);
  await withArchiver(async () => {
    await publishBets(1, 3);
    await archived(2);
  });
  const sender = startSender();
  await hasAll(receiver.received, [1, 2]);
  const unlock = await lockTable(db, "events");
  await requestResend(db, destination, { source: "test", id: 1 });
  await waitFor(async () => {
    const { rows } =
      await sql`select from pg_locks where not granted and relation = 'events'::regclass`.execute(db);
    return rows.length > 0;
  });
  const statuses = nc.status();
  await server.kill();
  for await (const { type } of statuses) if (type === "disconnect") break;
  await unlock();
  await waitFor(() => publisher.pending > 0);
  const stopped = sender.stop().then(() => "stopped");
  try {
    expect(await Promise.race([stopped, sleep(30_000, "hangs")])).toBe("stopped");
  } finally {
    await server.start();
    await stopped;
    await waitFor(() => jsm.getAccountInfo());
  }
});
