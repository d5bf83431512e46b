import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { AckPolicy, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "nats";
import { describe, expect, test } from "vitest";
import { watch } from "../../test/harness/guard.ts";
import { lockedNatsForTest, natsVersions } from "../../test/harness/locked-broker.ts";
import { tempFolder } from "../../test/harness/temp-folder.ts";
import { freePort } from "./free-port.ts";
import { startNats } from "./nats-server.ts";
import { moveStreams, refuseOlder } from "./nats-store.ts";
import { StackError } from "./stack-error.ts";

const ignored = () => undefined;

function folders(...paths: readonly string[]): string {
  const dir = tempFolder("store");
  for (const path of paths) mkdirSync(join(dir, "jetstream", path), { recursive: true });
  return dir;
}

describe.each(await natsVersions())("nats-server $version", ({ binary, version }) => {
  test("what a server without accounts stored is there with nats.conf: messages, consumers, what was acknowledged", async () => {
    const dir = tempFolder('store "quoted" \\ %');
    const before = await startNats({ dir, binary, spawned: watch });
    const nc = await connect({ servers: before.url });
    const jsm = await jetstreamManager(nc);
    await jsm.streams.add({ name: "CASINO_RAW", subjects: ["casino.event.raw.*"] });
    await jsm.consumers.add("CASINO_RAW", { durable_name: "currency", ack_policy: AckPolicy.Explicit });
    for (let i = 0; i < 10; i++) await nc.request("casino.event.raw.casino", "{}");
    const next = '{"batch":4,"no_wait":true}';
    const taken = nc.requestMany("$JS.API.CONSUMER.MSG.NEXT.CASINO_RAW.currency", next, {
      strategy: "count",
      maxMessages: 4,
    });
    for await (const message of await taken) message.respond("+ACK");
    await nc.close();
    await before.stop();

    const said: string[] = [];
    await moveStreams(dir, (line) => said.push(line));
    expect(said).toEqual(["nats: moved stream CASINO_RAW to the account CASINO"]);
    await moveStreams(dir, (line) => said.push(line));
    expect(said).toHaveLength(1);

    const broker = await lockedNatsForTest(undefined, { binary, dir });
    const operator = await connect({ servers: broker.server.url, ...broker.credentials("operator") });
    const after = await jetstreamManager(operator);
    expect((await after.streams.info("CASINO_RAW")).state).toMatchObject({ messages: 10, last_seq: 10 });
    expect((await after.consumers.info("CASINO_RAW", "currency")).num_pending).toBe(6);
    await operator.close();

    await broker.server.stop();
    const older = () => refuseOlder(dir, "nats-server v2.9.25");
    if (/^v?2\.9\./.test(version)) expect(older).not.toThrow();
    else expect(older).toThrow(/^nats-server v2\.9\.25 would damage .*: put a newer one on the PATH/);
    expect(() => refuseOlder(dir, "nats-server v2.10.0")).not.toThrow();
  });

  test("those of a cluster are left where they are, and it says what to do", async () => {
    const dir = tempFolder("store");
    const route = `nats://127.0.0.1:${await freePort()}`;
    const args = ["--name", "n1", "--cluster_name", "c", "--cluster", route, "--routes", route];
    const node = await startNats({ dir, binary, args, readyWhen: "connect", spawned: watch });
    await node.stop();
    mkdirSync(join(dir, "jetstream/$G/streams/CASINO_RAW"), { recursive: true });
    await expect(moveStreams(dir, ignored)).rejects.toThrow(/belongs to a cluster\. .*backup and restore/);
    expect(readdirSync(join(dir, "jetstream/$G/streams"))).toEqual(["CASINO_RAW"]);
  });
});

test("a stream that is in both places is named, and nothing is moved", async () => {
  const dir = folders("$G/streams/A", "$G/streams/CASINO_RAW", "CASINO/streams/CASINO_RAW");
  const moving = moveStreams(dir, ignored);
  await expect(moving).rejects.toThrow(StackError);
  await expect(moving).rejects.toThrow(/both hold CASINO_RAW: move the one that you do not want out of/);
  expect(readdirSync(join(dir, "jetstream/$G/streams"))).toEqual(["A", "CASINO_RAW"]);
});

test("a move that was cut short goes on, and a new folder needs none", async () => {
  const dir = folders("$G/streams/CASINO_DEAD", "CASINO/streams/CASINO_RAW");
  await moveStreams(dir, ignored);
  expect(readdirSync(join(dir, "jetstream/CASINO/streams"))).toEqual(["CASINO_DEAD", "CASINO_RAW"]);
  expect(readdirSync(join(dir, "jetstream"))).toEqual(["CASINO"]);
  await moveStreams(tempFolder("store"), ignored);
});

test("the script without a folder says how it is called", () => {
  const script = join(import.meta.dirname, "../../nats/move-streams.sh");
  const { status, stderr } = spawnSync("sh", [script], { encoding: "utf8" });
  expect(stderr).toBe("nats: name one folder: sh nats/move-streams.sh <store_dir>\n");
  expect(status).toBe(78);
});
