import { randomBytes } from "node:crypto";
import { sql } from "kysely";
import { afterAll, afterEach, beforeEach } from "vitest";
import { defaultLimits, silent, streamsForTest } from "../../test/harness/broker.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { archiveForTest, finalBet } from "../archive/database.fixture.ts";
import { encodeEvent } from "../casino/encode.ts";
import type { CasinoEvent } from "../casino/event.ts";
import { Publisher } from "../jetstream/publisher.ts";
import { ensureStreams } from "../jetstream/topology.ts";
import { OutgoingHeaders } from "../jetstream/wire-headers.ts";
import { deadStream, finalStage, retryStage, retryStream, stageSubject } from "../messages/subjects.ts";
import { networks } from "../service/config-values.ts";
import { Deliverer, type DelivererOptions } from "../webhooks/deliver.ts";
import { type DestinationSettings, defaultSettings } from "../webhooks/destination.ts";
import { Destinations } from "../webhooks/destinations.ts";
import type { Received } from "../webhooks/receiver.fixture.ts";
import { SecretBox } from "../webhooks/secret-box.ts";
import { Sender, type SenderOptions } from "./sender.ts";

interface TestSenderOptions extends Partial<SenderOptions> {
  readonly calls?: DelivererOptions;
}

/** Bets with ids from `from` to `to`, exclusive. */
export const bets = (from: number, to: number, more: Partial<CasinoEvent> = {}) =>
  Array.from({ length: to - from }, (_, i) => finalBet(from + i, more));

/** The ids of the calls' events in the order received, also within batches. */
export function idsOf(received: readonly Received[]): readonly number[] {
  return received.flatMap(({ body }) => {
    const { type, data } = JSON.parse(body);
    const members = type === "batch" ? data : [{ data }];
    return members.map((member: { data: { id: number } }) => member.data.id);
  });
}

/** Resolves once exactly these ids have arrived, each at least once. */
export const hasAll = (received: readonly Received[], ids: readonly number[], timeout?: number) =>
  waitFor(
    () => {
      const got = new Set(idsOf(received));
      return ids.every((id) => got.has(id));
    },
    { what: `${ids.length} events at the receiver`, ...(timeout === undefined ? {} : { timeout }) },
  );

export const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

/** A broker, a database and senders for one test file: each test starts with empty streams and without destinations. */
export async function sendersForTest() {
  const { server, nc, jsm } = await streamsForTest();
  const db = await archiveForTest();
  const destinations = new Destinations(db, new SecretBox([randomBytes(32)]));
  const publisher = new Publisher(nc);
  afterAll(() => publisher.close());
  const running: (() => Promise<unknown>)[] = [];
  beforeEach(() => ensureStreams(nc, [finalStage, retryStage], defaultLimits));
  afterEach(async () => {
    await Promise.all(running.splice(0).map((stop) => stop()));
    await db.deleteFrom("destinations").execute();
    await db.deleteFrom("deliveries").execute();
    await db.deleteFrom("events").execute();
  });

  let started = 0;
  /** Starts one more sender; the test need not stop it. Its plan has pauses of some tens of milliseconds. */
  function startSender({ calls = {}, ...options }: TestSenderOptions = {}): Sender {
    const deliverer = new Deliverer({ allow: networks("127.0.0.0/8"), ...calls });
    const sender = Sender.start({
      ...{ nc, db, publisher, destinations, deliverer, log: silent },
      plan: [40, 40, 40],
      disableAfterMs: 3_600_000,
      instance: `test-${++started}`,
      ackWaitMs: 2_000,
      everyMs: 50,
      ...options,
    });
    running.push(async () => {
      await sender.stop();
      await deliverer.close();
    });
    return sender;
  }

  /** Creates a destination, by default of client `casino`. */
  const addDestination = (url: string, settings: Partial<DestinationSettings> = {}) =>
    destinations.create("casino", { ...defaultSettings, url, ...settings });

  /** Publishes final events to the log. */
  async function publish(events: readonly CasinoEvent[], client = "casino"): Promise<void> {
    await Promise.all(
      events.map((event) =>
        publisher.publish({
          subject: stageSubject(finalStage, client, event.type),
          payload: encodeEvent(event),
          headers: new OutgoingHeaders()
            .add("Nats-Msg-Id", `${client}:test:${event.id}:final`)
            .add("Casino-Source", "test")
            .add("Casino-Accepted", `${event.id} 1700000000000`),
        }),
      ),
    );
  }
  const publishBets = (from: number, to: number, more: Partial<CasinoEvent> = {}) =>
    publish(bets(from, to, more));

  /** How many messages a stream holds. */
  const count = async (stream: string) => (await jsm.streams.info(stream)).state.messages;
  const waiting = () => count(retryStream);
  const letters = () => count(deadStream);

  /** How many attempts have been recorded with each outcome; one that a slow machine made twice counts once. */
  async function outcomes(destination: string): Promise<Readonly<Record<string, number>>> {
    const rows = await db
      .selectFrom("deliveries")
      .select(["outcome", sql<string>`count(distinct (event_id, attempt))`.as("n")])
      .where("destination_id", "=", destination)
      .groupBy("outcome")
      .execute();
    return Object.fromEntries(rows.map(({ outcome, n }) => [outcome, Number(n)]));
  }
  return {
    server,
    nc,
    jsm,
    db,
    destinations,
    publisher,
    startSender,
    addDestination,
    publish,
    publishBets,
    count,
    waiting,
    letters,
    outcomes,
  };
}
