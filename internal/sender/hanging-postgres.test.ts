import { sql } from "kysely";
import { expect, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { lockTable } from "../../test/harness/locked-table.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { Archiver } from "../archive/archiver.ts";
import { requestResend } from "../webhooks/delivery-requests.ts";
import { receiverForTest } from "../webhooks/receiver.fixture.ts";
import { hasAll, sendersForTest } from "./sender.fixture.ts";
import type { Sender } from "./sender.ts";

const { addDestination, db, nc, publishBets, publisher, startSender } = await sendersForTest();

/** Resolves once a statement waits for a lock of this table. */
const isWaitedFor = (table: string) =>
  waitFor(async () => {
    const { rows } = await sql`
      select from pg_locks where not granted and relation = ${table}::regclass`.execute(db);
    return rows.length > 0;
  });

/** How long a sender takes to stop, in ms. A service has 10 s for everything. */
async function stopping(sender: Sender): Promise<number> {
  const began = performance.now();
  await sender.stop();
  return performance.now() - began;
}

test("a stop does not wait until its claims are released", async () => {
  const receiver = await receiverForTest();
  await addDestination(receiver.url);
  const sender = startSender();
  await publishBets(1, 2);
  await hasAll(receiver.received, [1]);
  const unlock = await lockTable(db, "destination_places");
  try {
    expect(await stopping(sender)).toBeLessThan(8_000);
  } finally {
    await unlock();
  }
});

test("a stop does not wait until a request is finished", async () => {
  const receiver = await receiverForTest();
  const destination = await addDestination(receiver.url);
  const archiver = await Archiver.start({ nc, db, publisher, log: silent });
  const sender = startSender();
  await publishBets(1, 2);
  await hasAll(receiver.received, [1]);
  await waitFor(async () => (await db.selectFrom("events").select("id").execute()).length === 1);
  await archiver.stop();
  const unlockEvents = await lockTable(db, "events");
  await requestResend(db, destination, { source: "test", id: 1 });
  await isWaitedFor("events");
  const unlock = await lockTable(db, "delivery_requests");
  await unlockEvents();
  await isWaitedFor("delivery_requests");
  try {
    expect(await stopping(sender)).toBeLessThan(8_000);
  } finally {
    await unlock();
  }
});

test("claims are renewed while a receiver's state cannot be recorded", async () => {
  const receiver = await receiverForTest((response) => response.writeHead(500).end());
  await addDestination(receiver.url, { ordered: true });
  const sender = startSender();
  const claimedUntil = async () => {
    const { rows } = await sql<{ until: Date }>`
      select max(kept_until) as until from destination_places`.execute(db);
    return rows[0]?.until.getTime() ?? 0;
  };
  await waitFor(claimedUntil);
  const unlock = await lockTable(db, "destinations", "share");
  try {
    await publishBets(1, 2);
    await isWaitedFor("destinations");
    const before = await claimedUntil();
    await waitFor(async () => (await claimedUntil()) > before, { timeout: 6_000 });
    expect(await stopping(sender)).toBeLessThan(8_000);
  } finally {
    await unlock();
  }
});
