import { sql } from "kysely";
import { afterEach, beforeEach, expect } from "vitest";
import { connectForTest, defaultLimits, silent } from "../../test/harness/broker.ts";
import { natsForTest, postgresForTest } from "../../test/harness/infrastructure.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { encodeEvent } from "../casino/encode.ts";
import type { CasinoEvent } from "../casino/event.ts";
import { Publisher } from "../jetstream/publisher.ts";
import { ensureStreams } from "../jetstream/topology.ts";
import { OutgoingHeaders } from "../jetstream/wire-headers.ts";
import { deadStream, finalStage, stageStream, stageSubject } from "../messages/subjects.ts";
import { Archiver, archiverDurable } from "./archiver.ts";
import { addClients, addTypes, archiveForTest, finalBet } from "./database.fixture.ts";
/** The stream that the archivers read. */
export const events = stageStream(finalStage);

/** A broker, a Postgres and archivers for one test file: each test starts with an empty table and empty streams. */
export async function archiversForTest() {
  const nats = await natsForTest();
  const postgres = await postgresForTest();
  const { nc, jsm } = await connectForTest(nats);
  const db = await archiveForTest(postgres.url);
  await addClients(db, "other");
  await addTypes(db, "login");
  const publisher = new Publisher(nc);
  const archivers: Archiver[] = [];

  beforeEach(async () => {
    await sql`truncate events`.execute(db);
    await ensureStreams(nc, [finalStage], defaultLimits);
  });
  afterEach(async () => {
    await Promise.all(archivers.splice(0).map((archiver) => archiver.stop()));
    for (const stream of [events, deadStream]) await jsm.streams.delete(stream);
  });

  /**
   * Starts one more archiver; the test need not stop it.
   * @param ackWaitMs how soon messages in flight at a kill are redelivered
   */
  async function start(ackWaitMs = 2_000): Promise<Archiver> {
    const archiver = await Archiver.start({ nc, db, publisher, log: silent, ackWaitMs });
    archivers.push(archiver);
    return archiver;
  }

  let sent = 0;
  /** Publishes a final message with a new id, like an event that is sent again after the stream's duplicate window. */
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
  /** Bets with ids from `from` to `to`, exclusive. */
  const publishBets = (from: number, to: number) =>
    Promise.all(Array.from({ length: to - from }, (_, i) => publish(finalBet(from + i))));

  /** The number of rows, and of distinct ids. */
  async function rows(): Promise<{ rows: number; ids: number }> {
    const { rows } = await sql<{ rows: number; ids: number }>`
      select count(*)::int as rows, count(distinct (client_id, source, id))::int as ids from events`.execute(
      db,
    );
    return rows[0] ?? expect.fail("no count");
  }
  const hasRows = (count: number) =>
    waitFor(async () => (await rows()).rows === count, { what: `${count} rows` });

  /** Resolves when everything delivered is settled. */
  const allSettled = () =>
    waitFor(
      async () => {
        const { num_pending, num_ack_pending } = await jsm.consumers.info(events, archiverDurable.name);
        return num_pending + num_ack_pending === 0;
      },
      { what: "everything settled" },
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
  return {
    nats,
    postgres,
    nc,
    jsm,
    db,
    publisher,
    start,
    publish,
    publishBets,
    rows,
    hasRows,
    allSettled,
    letters,
  };
}
