import { sql } from "kysely";
import { expect, test } from "vitest";
import { archiveForTest, finalBet } from "../../internal/archive/database.fixture.ts";
import { encodeEvent } from "../../internal/casino/encode.ts";
import { Publisher } from "../../internal/jetstream/publisher.ts";
import { OutgoingHeaders } from "../../internal/jetstream/wire-headers.ts";
import { stageSubject } from "../../internal/messages/subjects.ts";
import { connectForTest } from "../../test/harness/broker.ts";
import { natsForTest, postgresForTest } from "../../test/harness/infrastructure.ts";
import { serviceForTest } from "../../test/harness/service.ts";
import { waitFor } from "../../test/harness/wait-for.ts";

const [nats, postgres] = await Promise.all([natsForTest(), postgresForTest()]);
const { nc } = await connectForTest(nats);
const publisher = new Publisher(nc);
const db = await archiveForTest(postgres.url);
const env = { NATS_URL: nats.url, DATABASE_URL: postgres.url };

let sent = 0;
async function publishBets(from: number, to: number): Promise<void> {
  for (let id = from; id < to; id++)
    await publisher.publish({
      subject: stageSubject("final", "casino", "bet"),
      payload: encodeEvent(finalBet(id)),
      headers: new OutgoingHeaders().add("Nats-Msg-Id", `test:${++sent}`),
    });
}

async function ids(): Promise<readonly number[]> {
  const { rows } = await sql<{ id: string }>`select id from events order by id`.execute(db);
  return rows.map(({ id }) => Number(id));
}

test("archives each event once over restarts and kills, says when it cannot, and ends with 0", async () => {
  const archiver = await serviceForTest("archiver", env);
  await publishBets(1, 11);
  await waitFor(async () => (await ids()).length === 10);
  await archiver.stop();
  expect(await archiver.exited()).toBe("exit code 0");

  await publishBets(5, 21);
  await archiver.start();
  await waitFor(async () => (await ids()).length === 20);
  await archiver.kill();
  await publishBets(15, 31);
  await archiver.start();
  await waitFor(async () => (await ids()).length === 30);

  await postgres.kill();
  await publishBets(31, 41);
  const ready = async () => (await fetch(`${archiver.url}/readyz`)).status;
  await waitFor(async () => (await ready()) === 503);
  await postgres.start();
  await waitFor(async () => (await ids()).length === 40);
  await waitFor(async () => (await ready()) === 200);

  await nats.kill();
  await archiver.stop();
  expect(await archiver.exited()).toBe("exit code 0");
  await nats.start();
});

test("deletes what is older than ARCHIVE_RETENTION, when that is set", async () => {
  await sql`truncate events`.execute(db);
  const archiver = await serviceForTest("archiver", { ...env, ARCHIVE_RETENTION: "2s" });
  await publishBets(100, 110);
  await waitFor(async () => (await ids()).length > 0);
  await waitFor(async () => (await ids()).length === 0);
  await archiver.stop();
});
