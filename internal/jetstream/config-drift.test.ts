import {
  AckPolicy,
  DiscardPolicy,
  PersistMode,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from "@nats-io/jetstream";
import { nanos } from "nats";
import { describe, expect, test } from "vitest";
import { defaultLimits, streamsForTest } from "../../test/harness/broker.ts";
import { findDrift } from "./config-drift.ts";
import { durableConfig, ensureDurable } from "./durable.ts";
import { durableDrift, streamDrift } from "./settings-drift.ts";
import { ensureStreams, type StreamLimits, streamConfigs } from "./topology.ts";

const { nc, jsm } = await streamsForTest();
const version = nc.info?.version ?? "";
const stages = ["raw", "priced", "final"];
const durable = { stream: "CASINO_RAW", name: "currency", filter: "casino.event.raw.*", maxAckPending: 100 };
const archiver = {
  stream: "CASINO_EVENTS",
  name: "archiver",
  filter: "casino.event.final.*.*",
  maxAckPending: 100,
};
const wanted = (limits: StreamLimits = defaultLimits) => ({
  streams: streamConfigs(stages, limits, version),
  durables: [durable, archiver],
});
const drift = async (limits?: StreamLimits) => (await findDrift(nc, wanted(limits))).found;
/** As an enricher and an archiver make them at their start. */
const start = async (limits: StreamLimits = defaultLimits) => {
  await ensureStreams(nc, stages, limits, true);
  await ensureDurable(nc, durable);
  await ensureDurable(nc, archiver);
};

test("there are none in what the services make, nor before they have made it", async () => {
  expect(await findDrift(nc, wanted())).toEqual({ found: [], unseen: [] });
  await start();
  expect(await findDrift(nc, wanted())).toEqual({ found: [], unseen: [] });
});

describe("a stream that somebody changed is named, and set right by the next start", () => {
  const changes: readonly (readonly [what: string, stream: string, Partial<StreamConfig>, RegExp])[] = [
    [
      "discard old on a queue",
      "CASINO_RAW",
      { discard: DiscardPolicy.Old },
      /has discard "old" where "new" was asked for/,
    ],
    [
      "discard new on the log",
      "CASINO_EVENTS",
      { discard: DiscardPolicy.New },
      /has discard "new" where "old" was asked for/,
    ],
    [
      "an age on a queue",
      "CASINO_PRICED",
      { max_age: nanos(600_000) },
      /has max_age 600 s where none was asked for/,
    ],
    [
      "another age of the log",
      "CASINO_EVENTS",
      { max_age: nanos(3_600_000) },
      /has max_age 3600 s where 86400 s was asked for/,
    ],
    [
      "a limit per subject",
      "CASINO_RAW",
      { max_msgs_per_subject: 7 },
      /has max_msgs_per_subject 7 where none .* drops all but the last/,
    ],
    ["no acknowledgements", "CASINO_DEAD", { no_ack: true }, /has no_ack true .* whether it is stored/],
    [
      "a short duplicate window",
      "CASINO_EVENTS",
      { duplicate_window: nanos(1_000) },
      /message ids after 1 s/,
    ],
    [
      "a long memory for what producers choose",
      "CASINO_RAW",
      { duplicate_window: nanos(120_000) },
      /for 120 s the message ids that producers choose/,
    ],
    ["another limit", "CASINO_RAW", { max_bytes: 2 ** 20 }, /has max_bytes 1048576 where 1073741824/],
  ];
  test.each(changes)("%s", async (_what, stream, change, sentence) => {
    await start();
    await jsm.streams.update(stream, change);
    expect(await drift()).toEqual([expect.stringMatching(sentence)]);
    expect((await drift())[0]).toMatch(new RegExp(`^stream ${stream} .*enricher`));
    await start();
    expect(await drift()).toEqual([]);
  });
});

describe("a stream that cannot be set right is named", () => {
  test("one in memory takes the limits all the same", async () => {
    await jsm.streams.add({
      name: "CASINO_RAW",
      subjects: ["casino.event.raw.*"],
      retention: RetentionPolicy.Workqueue,
      storage: StorageType.Memory,
    });
    await start();
    expect(await drift()).toEqual([
      expect.stringMatching(
        /^stream CASINO_RAW has storage "memory" .* loses what it holds: .*nats stream rm/,
      ),
    ]);
    expect((await jsm.streams.info("CASINO_RAW")).config.discard).toBe("new");
  });

  test("one that is no queue, for those who do not apply limits", async () => {
    await jsm.streams.add({ name: "CASINO_RAW", subjects: ["casino.event.raw.*"] });
    await ensureStreams(nc, ["raw"], defaultLimits);
    expect(await drift()).toContainEqual(
      expect.stringMatching(/^stream CASINO_RAW has retention "limits" where "workqueue" .*nats stream rm/),
    );
  });

  test("one that forgets ids early because it keeps messages no longer", async () => {
    const limits = { ...defaultLimits, EVENTS_MAX_AGE: 60_000 };
    await start(limits);
    expect(await drift(limits)).toEqual([
      expect.stringMatching(/^stream CASINO_EVENTS forgets message ids after 60 s.* for at least 2m$/),
    ]);
  });

  test("one with less replicas than asked for", async () => {
    await start();
    const few = await drift({ ...defaultLimits, NATS_REPLICAS: 3 });
    expect(few).toHaveLength(wanted().streams.length);
    expect(few[0]).toMatch(/^stream CASINO_RAW has 1 of 3 replicas: /);
  });

  test("one from which the broker left out what it does not know", async () => {
    await start();
    const [raw] = wanted().streams;
    // Made without it, as by a server before 2.11, which leaves it out without a word.
    const newer = { ...raw, name: "CASINO_RAW", allow_msg_ttl: true };
    expect((await findDrift(nc, { streams: [newer], durables: [] })).found).toEqual([
      expect.stringMatching(
        /^stream CASINO_RAW has allow_msg_ttl none where true was asked for: .* upgrade nats-server/,
      ),
    ]);
  });
});

describe("a consumer that somebody changed is named, and set right by the next start", () => {
  test.each([
    ["limited deliveries", { max_deliver: 5 }, /has max_deliver 5 where none .* strands events/],
    ["another ack_wait", { ack_wait: nanos(30_000) }, /has ack_wait 30 s where 5 s was asked for/],
    [
      "a backoff",
      { backoff: [nanos(1_000)], max_deliver: 2 },
      /has backoff .* where none was asked for, so its ack_wait does not count/,
    ],
    ["a limit of idleness", { inactive_threshold: nanos(60_000) }, /has inactive_threshold 60 s where none/],
    ["no payloads", { headers_only: true }, /has headers_only true .* delivers no payloads/],
    ["another limit", { max_ack_pending: 1 }, /has max_ack_pending 1 where 100/],
  ])("%s", async (_what, change, sentence) => {
    await start();
    await jsm.consumers.update("CASINO_EVENTS", "archiver", change);
    const found = await drift();
    expect(found).toContainEqual(expect.stringMatching(sentence));
    for (const warning of found)
      expect(warning).toMatch(/^consumer archiver of CASINO_EVENTS .*restart a service/);
    await start();
    expect(await drift()).toEqual([]);
  });
});

describe("a consumer that cannot be set right", () => {
  const made = {
    filter_subject: archiver.filter,
    durable_name: "archiver",
    max_ack_pending: 100,
    ack_wait: nanos(5_000),
  };

  test("one without explicit acknowledgement is named, and refused at a start with what to do", async () => {
    await start();
    await jsm.consumers.delete("CASINO_EVENTS", "archiver");
    await jsm.consumers.add("CASINO_EVENTS", { ...made, ack_policy: AckPolicy.All });
    expect(await drift()).toEqual([
      expect.stringMatching(
        /^consumer archiver of CASINO_EVENTS has ack_policy "all" where "explicit" .*nats consumer rm/,
      ),
    ]);
    await expect(start()).rejects.toThrow(
      /^consumer archiver of CASINO_EVENTS cannot be created: .*: delete it \(nats consumer rm CASINO_EVENTS archiver\)/,
    );
  });

  test("one that remembers in memory, one that pushes", async () => {
    await start();
    const ack_policy = AckPolicy.Explicit;
    await jsm.consumers.delete("CASINO_EVENTS", "archiver");
    await jsm.consumers.add("CASINO_EVENTS", { ...made, ack_policy, mem_storage: true });
    expect(await drift()).toEqual([expect.stringMatching(/is kept in memory, so a restart/)]);
    await jsm.consumers.delete("CASINO_EVENTS", "archiver");
    await jsm.consumers.add("CASINO_EVENTS", { ...made, ack_policy, deliver_subject: "somewhere" });
    expect(await drift()).toEqual([expect.stringMatching(/pushes to somewhere/)]);
  });
});

test("what only newer servers, or only older ones, let happen is named too", async () => {
  await start();
  const consumer = await jsm.consumers.info("CASINO_EVENTS", "archiver");
  const config = { ...consumer.config, pause_until: "2030-01-01T00:00:00Z" };
  expect(durableDrift(durableConfig(archiver), { ...consumer, config, paused: true }, version)).toEqual([
    expect.stringMatching(/is paused until 2030-01-01.*: nats consumer resume CASINO_EVENTS archiver$/),
  ]);
  const found = await jsm.streams.info("CASINO_RAW");
  const lazy = { ...found, config: { ...found.config, persist_mode: PersistMode.Async } };
  const [own] = streamConfigs(["raw"], defaultLimits, version);
  expect(own && streamDrift(own, lazy, version)).toEqual([
    expect.stringMatching(/^stream CASINO_RAW has persist_mode async, so a crash of the broker loses/),
  ]);
  const [three] = streamConfigs(["raw"], { ...defaultLimits, NATS_REPLICAS: 3 }, version);
  // 2.9 and 2.10 report this outside of a cluster, too.
  const claims = { ...found, config: { ...found.config, num_replicas: 3 } };
  expect(three && streamDrift(three, claims, version)).toEqual([
    expect.stringMatching(/^stream CASINO_RAW claims 3 replicas and has 1: /),
  ]);
  const damaged = { ...found, state: { ...found.state, last_seq: 2 ** 62 } };
  expect(own && streamDrift(own, damaged, version)).toEqual([
    expect.stringMatching(/^stream CASINO_RAW was damaged by a nats-server before 2\.10 /),
  ]);
});

describe("around the streams", () => {
  test("a stream that takes the subject of the figures is named, unless it acknowledges nothing", async () => {
    await jsm.streams.add({ name: "AUDIT", subjects: ["casino.*"] });
    await start();
    expect(await drift()).toEqual([
      expect.stringMatching(/^stream AUDIT takes casino.materialized, .*: narrow its subjects$/),
    ]);
    await jsm.streams.update("AUDIT", { no_ack: true });
    expect(await drift()).toEqual([]);
  });

  test("a stream that takes everything is named by the start that it makes fail", async () => {
    await jsm.streams.add({ name: "ALL", subjects: ["casino.>"] });
    await expect(start()).rejects.toThrow(
      /^stream CASINO_RAW cannot be created: .*: narrow the subjects of ALL so that casino.event.raw.\* is left to it$/,
    );
  });

  test("more replicas than there are servers name the variable", async () => {
    await expect(ensureStreams(nc, ["raw"], { ...defaultLimits, NATS_REPLICAS: 3 })).rejects.toThrow(
      /^stream CASINO_RAW cannot be created: .*: set NATS_REPLICAS to 1, or join the server to a cluster$/,
    );
  });
});
