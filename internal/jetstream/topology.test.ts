import { afterEach, describe, expect, test } from "vitest";
import { connectForTest, defaultLimits } from "../../test/harness/broker.ts";
import { natsForTest } from "../../test/harness/infrastructure.ts";
import { ensureDurable, ensureStreams, streamConfigs } from "./topology.ts";

const server = await natsForTest();
const { nc, jsm } = await connectForTest(server);
const stages = ["raw", "priced", "profiled", "final"];
const GiB = 2 ** 30;
const seconds = (count: number) => count * 1e9;

const configs = async () => {
  const found: Record<string, unknown> = {};
  for await (const { config } of jsm.streams.list()) {
    const {
      subjects,
      retention,
      discard,
      storage,
      max_bytes,
      max_age,
      max_msg_size,
      duplicate_window,
      num_replicas,
    } = config;
    found[config.name] = {
      subjects,
      retention,
      discard,
      storage,
      max_bytes,
      max_age,
      max_msg_size,
      duplicate_window,
      num_replicas,
    };
  }
  return found;
};

afterEach(async () => {
  for await (const { config } of jsm.streams.list()) await jsm.streams.delete(config.name);
});

describe("the streams", () => {
  test("are what the docs say", async () => {
    await ensureStreams(nc, stages, defaultLimits);
    const queue = {
      retention: "workqueue",
      discard: "new",
      storage: "file",
      max_bytes: GiB,
      max_age: 0,
      max_msg_size: -1,
      duplicate_window: seconds(120),
      num_replicas: 1,
    };
    expect(await configs()).toEqual({
      CASINO_RAW: { ...queue, subjects: ["casino.event.raw.*"], max_msg_size: 960 * 1024 },
      CASINO_PRICED: { ...queue, subjects: ["casino.event.priced.*.*"] },
      CASINO_PROFILED: { ...queue, subjects: ["casino.event.profiled.*.*"] },
      CASINO_EVENTS: {
        ...queue,
        subjects: ["casino.event.final.*.*"],
        retention: "limits",
        discard: "old",
        max_bytes: 4 * GiB,
        max_age: seconds(86_400),
        duplicate_window: seconds(600),
      },
      CASINO_DEAD: {
        ...queue,
        subjects: ["casino.dead.>"],
        retention: "limits",
        discard: "old",
        max_age: seconds(30 * 86_400),
      },
    });
  });

  test.each([
    ["2.9.10", 2 ** 20],
    ["2.10.4", 2 ** 20],
    ["2.10.5", undefined],
    ["2.15.1-RC.1", undefined],
    ["3.0.0", undefined],
  ])("on nats-server %s limit the messages of a queue to %s", (version, expected) => {
    const configs = streamConfigs(stages, defaultLimits, version);
    expect(configs.map((config) => config.max_msgs)).toEqual([
      expected,
      expected,
      expected,
      undefined,
      undefined,
    ]);
  });

  test("are made by whoever comes first, many at once", async () => {
    await Promise.all(Array.from({ length: 10 }, () => ensureStreams(nc, stages, defaultLimits)));
    expect(Object.keys(await configs())).toHaveLength(5);
  });

  test("keep their limits unless asked to take new ones", async () => {
    await ensureStreams(nc, ["raw"], defaultLimits);
    const smaller = { ...defaultLimits, QUEUE_MAX_BYTES: 2 ** 20 };
    await ensureStreams(nc, ["raw"], smaller);
    expect(await configs()).toMatchObject({ CASINO_RAW: { max_bytes: GiB } });
    await ensureStreams(nc, ["raw"], smaller, true);
    expect(await configs()).toMatchObject({
      CASINO_RAW: { max_bytes: 2 ** 20 },
      CASINO_DEAD: { max_bytes: 2 ** 20 },
    });
  });

  test("that cannot take the limits are named", async () => {
    await jsm.streams.add({ name: "CASINO_RAW", subjects: ["casino.event.raw.*"] });
    await expect(ensureStreams(nc, ["raw"], defaultLimits, true)).rejects.toThrow(
      /^stream CASINO_RAW exists and cannot take the limits of this environment: /,
    );
  });

  test("for which the server has no room name what to change", async () => {
    const huge = { ...defaultLimits, QUEUE_MAX_BYTES: 2 ** 50 };
    await expect(ensureStreams(nc, ["raw"], huge)).rejects.toThrow(
      /lower EVENTS_MAX_BYTES and QUEUE_MAX_BYTES/,
    );
  });
});

test("a durable is made once and brought to its configuration", async () => {
  await ensureStreams(nc, ["raw"], defaultLimits);
  const durable = {
    stream: "CASINO_RAW",
    name: "currency",
    filter: "casino.event.raw.*",
    maxAckPending: 100,
  };
  await Promise.all(Array.from({ length: 5 }, () => ensureDurable(nc, durable)));
  await ensureDurable(nc, { ...durable, maxAckPending: 200 });
  const { config } = await jsm.consumers.info("CASINO_RAW", "currency");
  expect(config).toMatchObject({
    ack_policy: "explicit",
    max_ack_pending: 200,
    max_deliver: -1,
    ack_wait: seconds(30),
  });
});
