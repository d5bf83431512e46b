import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "nats";
import { expect, onTestFinished, test } from "vitest";
import { defaultLimits } from "../../test/harness/broker.ts";
import { natsForTest } from "../../test/harness/infrastructure.ts";
import { tempFolder } from "../../test/harness/temp-folder.ts";
import { findDrift, serverWarnings } from "./config-drift.ts";
import { ensureStreams, streamConfigs } from "./topology.ts";

test("a small account, and what the account's user may not see", async () => {
  const config = join(tempFolder("account"), "nats.conf");
  const may = (user: string, deny: string) =>
    `{ user: ${user}, password: secret, permissions: { publish: { deny: [${deny}] } } }`;
  writeFileSync(
    config,
    `jetstream { store_dir: $NATS_STORE_DIR }
    accounts { casino { jetstream: { max_file: 100MB, max_mem: 1MB }, users: [${may("all", "")}, ${may("few", '"$JS.API.STREAM.INFO.CASINO_RAW", "$JS.API.INFO"')}] } }`,
  );
  const limited = await natsForTest({ config, auth: { user: "all", pass: "secret" } });
  const as = async (user: string) => {
    const connection = await connect({ servers: limited.url, user, pass: "secret" });
    onTestFinished(() => connection.close());
    return connection;
  };
  const all = await as("all");
  const small = { ...defaultLimits, QUEUE_MAX_BYTES: 2 ** 20, EVENTS_MAX_BYTES: 2 ** 20 };
  await ensureStreams(all, ["raw"], small);
  const version = all.info?.version ?? "";
  const streams = streamConfigs(["raw"], { ...small, QUEUE_MAX_BYTES: 2 ** 26 }, version);
  expect((await findDrift(all, { streams, durables: [] })).found).toContainEqual(
    expect.stringMatching(
      /^the account may store 104857600 bytes and the streams' limits add up to \d+, so that/,
    ),
  );

  const { found, unseen } = await findDrift(await as("few"), {
    streams: streamConfigs(["raw"], small, version),
    durables: [],
  });
  expect(found).toEqual([]);
  expect(unseen).toEqual([
    expect.stringMatching(/^stream CASINO_RAW: Permissions Violation/),
    expect.stringMatching(/^the account's limits: Permissions Violation/),
  ]);
});

test("a cluster of which the streams make no use, and a version that loses streams of one", () => {
  const one = streamConfigs(["raw"], defaultLimits, "");
  const three = streamConfigs(["raw"], { ...defaultLimits, NATS_REPLICAS: 3 }, "");
  expect(serverWarnings("2.12.1", undefined, one)).toEqual([]);
  expect(serverWarnings("2.12.1", "east", one)).toEqual([expect.stringMatching(/set NATS_REPLICAS=3$/)]);
  expect(serverWarnings("2.12.1", "east", three)).toEqual([]);
  for (const bad of ["2.9.10", "2.10.20", "2.10.22"])
    expect(serverWarnings(bad, "east", three)[0]).toMatch(/2\.10\.23/);
  for (const good of ["2.10.2", "2.10.19", "2.10.23"])
    expect(serverWarnings(good, "east", three)).toEqual([]);
});
