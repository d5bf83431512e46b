import { jetstreamManager } from "@nats-io/jetstream";
import { connect, createInbox, errors, type NatsConnection } from "nats";
import { describe, expect, onTestFinished, test } from "vitest";
import { catchGivenUp } from "../internal/actor/backstop.ts";
import { Marks } from "../internal/actor/marks.ts";
import { archiverDurable } from "../internal/archive/archiver.ts";
import { connectNats } from "../internal/jetstream/connect.ts";
import { ensureDurable } from "../internal/jetstream/durable.ts";
import { Publisher } from "../internal/jetstream/publisher.ts";
import { lagWithinRetention } from "../internal/jetstream/readiness.ts";
import { ensureStreams } from "../internal/jetstream/topology.ts";
import { OutgoingHeaders } from "../internal/jetstream/wire-headers.ts";
import type { NatsRole } from "../internal/local/nats-users.ts";
import { loggerDurable } from "../internal/logger/lines.ts";
import { Fold } from "../internal/materializer/fold.ts";
import { startMaterializedService } from "../internal/materializer/nats-service.ts";
import { finalStage, rawStage } from "../internal/messages/subjects.ts";
import { kvCurrencies } from "../internal/rates/currencies.ts";
import { kvRateCache } from "../internal/rates/rate-cache.ts";
import { snapshotOf } from "../internal/rates/world.fixture.ts";
import { readConfig } from "../internal/service/config.ts";
import { connectForTest, defaultLimits, silent } from "./harness/broker.ts";
import { lockedNatsForTest, natsVersions } from "./harness/locked-broker.ts";
import { waitFor } from "./harness/wait-for.ts";

const message = {
  subject: "casino.event.raw.casino",
  payload: Buffer.from("{}"),
  headers: new OutgoingHeaders(),
};

describe.each(await natsVersions())("on nats-server $version", async ({ binary }) => {
  const broker = await lockedNatsForTest("inspector", { binary });
  const { jsm } = await connectForTest(broker.server, broker.credentials("operator"));

  /** As the nats command line connects: no credentials, the usual inboxes. */
  const anonymous = async (): Promise<NatsConnection> => {
    const nc = await connect({ servers: broker.server.url, reconnect: false });
    onTestFinished(() => nc.close());
    return nc;
  };
  const as = async (role: NatsRole, name: string = role): Promise<NatsConnection> => {
    const config = readConfig(["NATS_URL", "NATS_CREDS"], {}, { NATS_URL: broker.as(role) });
    const nc = await connectNats(name, config, silent, AbortSignal.timeout(10_000));
    onTestFinished(() => nc.close());
    return nc;
  };
  const materializer = async (): Promise<void> => {
    const nc = await as("materializer");
    const stop = startMaterializedService({ nc, fold: new Fold(), log: silent, version: "1.0.0" });
    onTestFinished(stop);
    await nc.flush();
  };
  const streams = async (): Promise<void> => {
    await ensureStreams(await as("enricher"), [rawStage, finalStage], defaultLimits);
  };

  test("without credentials one sees events, asks for the figures and finds the service", async () => {
    await Promise.all([materializer(), streams()]);
    const nc = await anonymous();
    const seen = nc.subscribe("casino.>", { max: 1 });
    await nc.flush();
    new Publisher(await as("generator")).publish(message);
    for await (const { subject } of seen) expect(subject).toBe("casino.event.raw.casino");
    expect((await nc.request("casino.materialized")).json()).toMatchObject({ events_total: 0 });
    expect((await nc.request("$SRV.PING")).json()).toMatchObject({ name: "casino-materializer" });
  });

  test("without credentials one takes no request away from those who answer", async () => {
    const nc = await anonymous();
    const refusal = Promise.withResolvers<Error | null>();
    nc.subscribe("casino.materialized", { queue: "materializer", callback: refusal.resolve });
    expect(await refusal.promise).toBeInstanceOf(errors.PermissionViolationError);
    const wide = Promise.withResolvers<Error | null>();
    nc.subscribe("casino.>", { queue: "materializer", callback: wide.resolve });
    expect(await wide.promise).toBeInstanceOf(errors.PermissionViolationError);
  });

  test("an answer cannot be aimed at a client's events", async () => {
    await Promise.all([materializer(), streams()]);
    const before = (await jsm.streams.info("CASINO_RAW")).state.last_seq;
    const nc = await anonymous();
    nc.publish("casino.materialized", "", { reply: "casino.event.raw.casino" });
    // What is asked after it is answered after it.
    await nc.request("casino.materialized");
    expect((await jsm.streams.info("CASINO_RAW")).state.last_seq).toBe(before);
  });

  test("a producer publishes its client's events, hears that they are stored, and no more", async () => {
    await streams();
    const producer = new Publisher(await as("producer-casino"), { timeoutMs: 1_000 });
    const stored = await producer.publish(message);
    expect(stored).toMatchObject({ stream: "CASINO_RAW", duplicate: false });
    const foreign = { ...message, subject: "casino.event.raw.acme-casino" };
    await expect(producer.publish(foreign)).rejects.toThrow("no PubAck");
    expect((await jsm.streams.info("CASINO_RAW")).state.last_seq).toBe(stored.seq);
  });

  test("nobody hears what is delivered to another", async () => {
    await streams();
    const nc = await anonymous();
    const heard: string[] = [];
    nc.subscribe("_INBOX.>", { callback: (_err, { subject }) => void heard.push(subject) });
    await nc.flush();
    await new Publisher(await as("generator")).publish(message);
    const own = createInbox();
    nc.publish("casino.materialized", "", { reply: own });
    await nc.flush();
    expect(heard.filter((subject) => !subject.startsWith(own))).toEqual([]);
  });

  test("a service that is somebody else says so at once", async () => {
    await expect(as("logger", "generator")).rejects.toThrow(
      /^NATS at nats:\/\/\*\*\*@127\.0\.0\.1:\d+ does not let this user hear the answers that generator needs: /,
    );
    const wrong = readConfig(
      ["NATS_URL", "NATS_CREDS"],
      {},
      { NATS_URL: broker.as("logger").replace(/:\w+@/, ":wrong@") },
    );
    await expect(connectNats("logger", wrong, silent, AbortSignal.timeout(10_000))).rejects.toThrow(
      /^NATS at \S+ refuses the credentials: check NATS_URL and NATS_CREDS$/,
    );
  });

  test("what services do only at times is permitted too", async () => {
    await streams();
    const before = broker.violations().length;
    const snapshot = snapshotOf("1.1", Date.now());
    const [cache, other] = [await as("enricher"), await as("enricher")].map((nc) =>
      kvRateCache(nc, { log: silent, replicas: 1 }),
    );
    const watched = cache?.next(() => true, AbortSignal.timeout(10_000));
    await other?.put(snapshot);
    expect(await watched).toMatchObject({ fetchedAt: snapshot.fetchedAt });
    expect(await cache?.get()).toMatchObject({ fetchedAt: snapshot.fetchedAt });
    const currencies = kvCurrencies(await as("enricher"), { log: silent, replicas: 1 });
    const had = { ...snapshot, rates: new Map([...snapshot.rates, ["BRL", "6.2"]]) };
    expect((await currencies.note(had, snapshot.fetchedAt)).size).toBe(0);
    expect([...(await currencies.note(snapshot, snapshot.fetchedAt))]).toEqual([["BRL", snapshot.fetchedAt]]);

    // A mailbox whose messages are stranded is made anew; who is behind is asked for the age of what it has not read.
    const enricher = await as("enricher");
    const currency = {
      stream: "CASINO_RAW",
      name: "currency",
      filter: "casino.event.raw.*",
      maxAckPending: 100,
    };
    await ensureDurable(enricher, currency);
    await (await jetstreamManager(enricher, { checkAPI: false })).consumers.delete("CASINO_RAW", "currency");
    await new Publisher(enricher).publish({ ...message, subject: "casino.event.final.casino.bet" });
    for (const [role, durable] of [
      ["logger", loggerDurable],
      ["archiver", archiverDurable],
    ] as const) {
      const nc = await as(role);
      await ensureDurable(nc, durable);
      expect(await lagWithinRetention(nc, durable)(AbortSignal.timeout(10_000))).toBeUndefined();
    }

    // What workers have in hand is noted, and what the server gives up on set aside.
    const [mine, others] = ["mine", "others"].map(
      (worker) => new Marks(enricher, { step: "currency", worker, replicas: 1, log: silent }),
    );
    const one = { streamSequence: 1, storedAt: 1 };
    await others?.takeTogether([1, 2]);
    expect(await mine?.suspects()).toEqual(new Set([1, 2]));
    await mine?.clear(new Set([1]));
    await others?.layDownTogether();
    await mine?.takeAlone(one);
    expect(await others?.trouble(one)).toEqual({ workers: ["mine"], failures: 0 });
    await mine?.layDownAlone(one);
    const publisher = new Publisher(enricher);
    onTestFinished(
      catchGivenUp({
        nc: enricher,
        durable: currency,
        step: "currency",
        stage: "raw",
        publisher,
        log: silent,
      }),
    );
    await enricher.flush();
    const raw = await new Publisher(await as("generator")).publish(message);
    (await as("operator")).publish(
      "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.CASINO_RAW.currency",
      JSON.stringify({ stream_seq: raw.seq, deliveries: 5 }),
    );
    await waitFor(async () => (await jsm.streams.info("CASINO_DEAD")).state.messages === 1);
    await waitFor(async () => (await jsm.streams.getMessage("CASINO_RAW", { seq: raw.seq })) === null);
    expect(broker.violations().slice(before)).toEqual([]);
  });

  test("passwords may be bcrypt hashes or look like numbers, and nobody need be let in without one", async () => {
    const strict = await lockedNatsForTest(undefined, {
      binary,
      variables: {
        NATS_LOGGER_PASSWORD: "12345",
        // "s3cret word", as `nats server passwd` makes them
        NATS_ARCHIVER_PASSWORD: "$2a$04$abcdefghijklmnopqrstuu9F2qeZTNt/fOkdkl8f2kRrQa6WVPPdy",
      },
    });
    const { url: servers } = strict.server;
    for (const [user, pass] of [
      ["logger", "12345"],
      ["archiver", "s3cret word"],
    ] as const)
      await (await connect({ servers, user, pass })).close();
    for (const wrong of [{}, { user: "archiver", pass: "s3cret" }, { user: "logger", pass: "" }])
      await expect(connect({ servers, ...wrong })).rejects.toThrow(errors.AuthorizationError);
  });
});
