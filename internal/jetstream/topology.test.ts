import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { connectForTest, defaultLimits, removeStreams, streamsForTest } from "../../test/harness/broker.ts";
import { natsForTest } from "../../test/harness/infrastructure.ts";
import { tempFolder } from "../../test/harness/temp-folder.ts";
import { findDrift } from "./config-drift.ts";
import { ensureStreams, streamConfigs } from "./topology.ts";

const { server, nc, jsm } = await streamsForTest();
const stages = ["raw", "priced", "profiled", "final"];
const GiB = 2 ** 30;
const seconds = (count: number) => count * 1e9;

const settings = [
  ...(["subjects", "retention", "discard", "storage", "max_bytes", "max_age"] as const),
  ...(["max_msg_size", "duplicate_window", "num_replicas"] as const),
];

const configs = async () => {
  const found: Record<string, unknown> = {};
  for await (const { config } of jsm.streams.list())
    found[config.name] = Object.fromEntries(settings.map((name) => [name, config[name]]));
  return found;
};

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
      CASINO_RAW: {
        ...queue,
        subjects: ["casino.event.raw.*"],
        max_msg_size: 960 * 1024,
        duplicate_window: seconds(0.1),
      },
      CASINO_PRICED: { ...queue, subjects: ["casino.event.priced.*.*"] },
      CASINO_PROFILED: { ...queue, subjects: ["casino.event.profiled.*.*"] },
      CASINO_EVENTS: {
        ...queue,
        subjects: ["casino.event.final.*.*"],
        retention: "limits",
        discard: "old",
        max_bytes: 4 * GiB,
        max_age: seconds(86_400),
        duplicate_window: seconds(300),
      },
      CASINO_DEAD: {
        ...queue,
        subjects: ["casino.dead.>"],
        retention: "limits",
        discard: "old",
        max_age: seconds(30 * 86_400),
      },
      CASINO_LEDGER: {
        ...queue,
        subjects: ["casino.ledger.>"],
        retention: "limits",
        discard: "old",
        max_age: seconds(30 * 86_400),
        max_bytes: GiB / 8,
      },
      CASINO_COPIES: {
        ...queue,
        subjects: ["casino.copies.*"],
        retention: "limits",
        discard: "old",
        max_age: seconds(30 * 86_400),
        max_bytes: GiB / 8,
      },
    });
  });

  test("each say what they are for, also those of before", async () => {
    const [raw] = streamConfigs(["raw"], defaultLimits, "");
    const { description, ...before } = raw ?? { name: "" };
    expect(description).toBe("events as producers sent them, which wait for the first step");
    await jsm.streams.add(before);
    await ensureStreams(nc, [...stages, "apart", "retry"], defaultLimits, true);
    const found: string[] = [];
    for await (const { config } of jsm.streams.list()) found.push(config.description ?? "");
    expect(new Set(found).size).toBe(9);
    expect(found).not.toContain("");
    const changed = [{ ...raw, ...before, description: "another" }];
    expect((await findDrift(nc, { streams: changed, durables: [] })).found.join()).not.toContain(
      "description",
    );
  });

  test.each([
    ["2.9.10", 2 ** 20],
    ["2.10.4", 2 ** 20],
    ["2.10.5", -1],
    ["2.15.1-RC.1", -1],
    ["3.0.0", -1],
  ])("on nats-server %s limit the messages of a queue to %s", (version, expected) => {
    const configs = streamConfigs(stages, defaultLimits, version);
    expect(configs.map((config) => config.max_msgs)).toEqual([
      expected,
      expected,
      expected,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  test("are made by whoever comes first, many at once", async () => {
    // Each on a connection of its own: only then does the server take the requests side by side.
    const processes = await Promise.all(Array.from({ length: 8 }, () => connectForTest(server)));
    for (let round = 0; round < 40; round++) {
      await removeStreams(jsm);
      await Promise.all(processes.map((process) => ensureStreams(process.nc, stages, defaultLimits)));
    }
    expect(Object.keys(await configs())).toHaveLength(7);
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

  test("are found again where the server has no room for as much once more", async () => {
    const folder = tempFolder("small-store");
    const config = join(folder, "nats.conf");
    writeFileSync(config, "jetstream { store_dir: $NATS_STORE_DIR, max_file_store: 20MB }");
    const small = await natsForTest({ dir: folder, config });
    const { nc, jsm } = await connectForTest(small);
    const limits = { ...defaultLimits, QUEUE_MAX_BYTES: 2 ** 20, EVENTS_MAX_BYTES: 12 * 2 ** 20 };
    for (const apply of [false, false, true]) await ensureStreams(nc, stages, limits, apply);
    expect((await jsm.streams.info("CASINO_EVENTS")).config.max_bytes).toBe(limits.EVENTS_MAX_BYTES);
  });

  test("for which the server has no room name what to change", async () => {
    const huge = { ...defaultLimits, QUEUE_MAX_BYTES: 2 ** 50 };
    await expect(ensureStreams(nc, ["raw"], huge)).rejects.toThrow(
      /lower EVENTS_MAX_BYTES and QUEUE_MAX_BYTES/,
    );
  });
});
