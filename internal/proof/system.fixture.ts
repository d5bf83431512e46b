import { sql } from "kysely";
import { afterEach, beforeEach, expect } from "vitest";
import { connectForTest, defaultLimits, silent, workerForTest } from "../../test/harness/broker.ts";
import { databaseForTest, natsForTest } from "../../test/harness/infrastructure.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { Archiver } from "../archive/archiver.ts";
import { addClients, archiveForTest } from "../archive/database.fixture.ts";
import { LetterStore } from "../dead-letters/store.ts";
import { Publisher } from "../jetstream/publisher.ts";
import { ensureStreams } from "../jetstream/topology.ts";
import { OutgoingHeaders } from "../jetstream/wire-headers.ts";
import { Fold } from "../materializer/fold.ts";
import { startMaterializedService } from "../materializer/nats-service.ts";
import { Replay } from "../materializer/replay.ts";
import {
  apartStage,
  deadStream,
  finalStage,
  rawSubject,
  retryStage,
  stageStream,
} from "../messages/subjects.ts";
import type { Check, CheckName } from "./check.ts";
import type { Proof } from "./proof.ts";
import { type ProveOptions, prove } from "./prove.ts";
import { waitForQuiet } from "./quiet.ts";
import { places, runSteps, unknownToPlayer } from "./steps.fixture.ts";

export const queues = ["CASINO_RAW", "CASINO_PRICED", "CASINO_PROFILED"];
export const events = stageStream(finalStage);
export const dead = deadStream;

interface Sent {
  readonly client?: string;
  readonly type?: string;
  readonly currency?: string;
}

function eventOf(id: number, { type, currency = "EUR" }: Sent): object {
  return {
    id,
    type: type ?? (id % 3 === 0 ? "deposit" : "bet"),
    player_id: 10 + (id % 7),
    game_id: 100,
    amount: id,
    currency,
    has_won: id % 4 === 0,
    created_at: "2022-01-10T12:34:56Z",
  };
}

/** The checks of a proof that do not hold, by name. */
export function troubles({ checks }: Proof): Partial<Record<CheckName, Check>> {
  return Object.fromEntries(
    checks.filter(({ verdict }) => verdict !== "holds").map((check) => [check.name, check]),
  );
}

/** The whole pipeline in one process, on a broker and a Postgres of its own: each test starts with empty streams, an empty table, and the steps, an archiver and a materializer running. */
export async function systemForTest() {
  const nats = await natsForTest();
  const { nc, jsm } = await connectForTest(nats);
  const databaseUrl = await databaseForTest();
  const db = await archiveForTest(databaseUrl);
  await addClients(db, "other");
  const publisher = new Publisher(nc);
  const worker = workerForTest();
  const store = new LetterStore(nc);
  /** How dead letters are worked on. */
  const desk = {
    store,
    publish: (message: Parameters<Publisher["publish"]>[0]) => publisher.publish(message),
    log: silent,
    by: "test",
  };

  const running: (() => Promise<unknown>)[] = [];

  beforeEach(async () => {
    unknownToPlayer.clear();
    await sql`truncate events`.execute(db);
    await ensureStreams(
      nc,
      [...places.map(({ takesFrom }) => takesFrom), apartStage, finalStage, retryStage],
      defaultLimits,
    );
    await startAll();
  });
  afterEach(async () => {
    await stopAll();
    // A server that was restarted may otherwise bring back what was written just before.
    const names = await jsm.streams.names().next();
    for (const name of names) await jsm.streams.purge(name);
    for (const name of names) await jsm.streams.delete(name);
  });

  /** How steps that are started from now on forward. */
  const forwarding = { bundles: false };

  /** Starts the steps, all or those of these names. */
  async function startSteps(...names: readonly string[]): Promise<void> {
    for (const run of await runSteps(names, { nc, publisher, worker, log: silent, ...forwarding }))
      running.push(() => run.stop());
  }

  /** Starts the steps, an archiver and a materializer. */
  async function startAll(): Promise<void> {
    await startSteps();
    await startReaders();
  }

  /** Starts an archiver and a materializer. */
  async function startReaders(): Promise<void> {
    await startArchiver();
    await startMaterializer("on");
  }

  async function startArchiver(): Promise<void> {
    const archiver = await Archiver.start({ nc, db, publisher, log: silent, ackWaitMs: 2_000 });
    running.push(() => archiver.stop());
  }

  /** @param replay whether it folds what is there already */
  async function startMaterializer(replay: "on" | "off"): Promise<void> {
    const fold = new Fold();
    const reading = new Replay({ nc, fold, log: silent, replay });
    await reading.whenCaughtUp();
    const coverage = () => reading.coverage;
    const endService = startMaterializedService({ nc, fold, log: silent, version: "0.0.0", coverage });
    running.push(endService, async () => reading.close());
  }

  async function stopAll(): Promise<void> {
    await Promise.all(running.splice(0).map((stop) => stop()));
  }

  /** Sends events with the ids from `from` to `to`, as a producer does: each alone. */
  async function send(from: number, to: number, sent: Sent = {}): Promise<void> {
    const sending: Promise<unknown>[] = [];
    for (let id = from; id <= to; id++) sending.push(publishRaw(JSON.stringify(eventOf(id, sent)), sent));
    await Promise.all(sending);
  }

  /** Sends them in one message, as an array. */
  async function sendTogether(from: number, to: number, sent: Sent = {}): Promise<void> {
    const events = Array.from({ length: to - from + 1 }, (_, index) => eventOf(from + index, sent));
    await publishRaw(JSON.stringify(events), sent);
  }

  function publishRaw(payload: string, { client = "casino" }: Sent): Promise<unknown> {
    const headers = new OutgoingHeaders().add("Casino-Source", "test");
    return publisher.publish({ subject: rawSubject(client), payload: Buffer.from(payload), headers });
  }

  /** Everything sent is settled. */
  const settled = () => waitFor(async () => (await waitForQuiet(nc, 1_000)).length === 0, { what: "rest" });

  /** How many messages a stream has ever stored. */
  const stored = async (stream: string) => (await jsm.streams.info(stream)).state.last_seq;

  const proof = (options: Partial<ProveOptions> = {}): Promise<Proof> =>
    prove({ nc, db, patienceMs: 500, ...options });

  /** What is wrong, by check: its count and its names; or that it could not be checked. */
  async function wrong(options: Partial<ProveOptions> = { waitMs: 10_000 }) {
    const found = await proof(options);
    expect(found.holds).toBe(false);
    return Object.fromEntries(
      Object.entries(troubles(found)).map(([name, { verdict, count, names }]) => [
        name,
        verdict === "violated" ? [count, ...names] : verdict,
      ]),
    );
  }
  return {
    nats,
    nc,
    jsm,
    databaseUrl,
    db,
    publisher,
    store,
    desk,
    forwarding,
    startSteps,
    startAll,
    startReaders,
    startArchiver,
    startMaterializer,
    stopAll,
    send,
    sendTogether,
    publishRaw,
    settled,
    stored,
    proof,
    wrong,
  };
}
