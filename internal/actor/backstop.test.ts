import { jetstreamManager } from "@nats-io/jetstream";
import { connect, nanos } from "nats";
import { describe, expect, onTestFinished, test } from "vitest";
import { defaultLimits, removeStreams, silent, workerForTest } from "../../test/harness/broker.ts";
import { natsForTest } from "../../test/harness/infrastructure.ts";
import { natsVersions } from "../../test/harness/locked-broker.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { decodeRaw } from "../casino/decode.ts";
import { Publisher } from "../jetstream/publisher.ts";
import { readStored } from "../jetstream/stored-message.ts";
import { ensureStreams } from "../jetstream/topology.ts";
import { OutgoingHeaders } from "../jetstream/wire-headers.ts";
import { bytesOf } from "../messages/enclosed.ts";
import { forward, later, type Step } from "./step.ts";
import { mailboxesOf, StepRun } from "./step-run.ts";

const raw = (id: number) =>
  `{"id":${id},"type":"game_start","player_id":10,"game_id":100,"created_at":"2022-01-10T12:34:56Z"}`;
const worker = workerForTest();

describe.each(await natsVersions())("messages that nats-server $version gives up on", async ({ binary }) => {
  const { url } = await natsForTest({ binary });

  /** Fresh streams. */
  async function scene() {
    const nc = await connect({ servers: url });
    const jsm = await jetstreamManager(nc);
    const publisher = new Publisher(nc);
    await ensureStreams(nc, ["raw", "apart", "tested"], defaultLimits);
    onTestFinished(async () => {
      await removeStreams(jsm);
      await nc.close();
    });
    const send = async (ids: readonly number[]) => {
      for (const id of ids)
        await publisher.publish({
          subject: "casino.event.raw.casino",
          payload: Buffer.from(raw(id)),
          headers: new OutgoingHeaders()
            .add("Nats-Msg-Id", `test:${id}`)
            .add("bad name", "1")
            .add("X-Own", "kept"),
        });
    };
    const run = async (enrich: Step["enrich"]): Promise<StepRun> => {
      const running = await StepRun.start({
        step: { name: "test", forwardsTo: "tested", enrich },
        takesFrom: "raw",
        decode: (event) => decodeRaw(bytesOf(event)),
        nc,
        publisher,
        worker,
        replicas: 1,
        log: silent,
        lookForStuckEveryMs: 300,
      });
      onTestFinished(() => running.stop());
      return running;
    };
    const count = async (stream: string) => (await jsm.streams.info(stream)).state.messages;
    return { nc, jsm, send, run, count };
  }

  test("are set aside once, with their bytes and headers, by one of those who hear of it", async () => {
    const { nc, jsm, send, run, count } = await scene();
    const enrich: Step["enrich"] = async (batch) =>
      batch.map(({ event }) => (event.id === 2 ? later("not yet") : forward(event)));
    await run(enrich);
    await run(enrich);
    const { config } = await jsm.consumers.info("CASINO_RAW", "test");
    await jsm.consumers.update("CASINO_RAW", "test", { ...config, max_deliver: 2 });
    nc.publish("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.CASINO_RAW.test", "not the server's");
    await send([1, 2, 3]);
    await waitFor(async () => (await count("CASINO_RAW")) === 0);
    expect(await count("CASINO_TESTED")).toBe(2);
    expect((await jsm.streams.info("CASINO_DEAD")).state).toMatchObject({ messages: 1, last_seq: 1 });
    const letter = await readStored(nc, "CASINO_DEAD", 1);
    expect(letter?.subject).toBe("casino.dead.test.casino");
    expect(Buffer.from(letter?.data ?? []).toString()).toBe(raw(2));
    const { "Casino-Dead-At": _, ...headers } = Object.fromEntries(letter?.headers.entries() ?? []);
    expect(headers).toEqual({
      "bad name": "1",
      "X-Own": "kept",
      "Casino-Dead-Step": "test",
      "Casino-Dead-Reason": "max_deliveries",
      "Casino-Dead-Error":
        "The broker gave up after 2 deliveries: somebody has limited max_deliver of the consumer test.",
      "Casino-Dead-Subject": "casino.event.raw.casino",
      "Casino-Dead-Deliveries": "2",
      "Casino-Dead-Message": "CASINO_RAW:2",
      "Casino-Accepted": expect.stringMatching(/^2 \d{13}$/),
      "Nats-Msg-Id": expect.stringMatching(/^\d{13}:2:test:0:dead$/),
    });
  });

  test("while nobody listened are found, and delivered again", async () => {
    const { nc, jsm, send, run, count } = await scene();
    await send([1, 2, 3]);
    const [{ stream, name, filter }] = mailboxesOf("test", "raw");
    await jsm.consumers.add(stream, {
      durable_name: name,
      filter_subject: filter,
      ack_policy: "explicit",
      ack_wait: nanos(100),
      max_deliver: 1,
    });
    let givenUp = 0;
    const advisories = `$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.${stream}.${name}`;
    const subscription = nc.subscribe(advisories, { callback: () => void givenUp++ });
    const consumer = await jsm.jetstream().consumers.get(stream, name);
    // nats-server 2.9 gives up when somebody asks for more.
    while (givenUp < 3) for await (const _ of await consumer.fetch({ max_messages: 3, expires: 1_000 }));
    subscription.unsubscribe();
    const started = await run(async (batch) => batch.map(({ event }) => forward(event)));
    await waitFor(() => started.problem === "CASINO_RAW holds messages from 1 on that test does not get");
    await waitFor(async () => (await count("CASINO_RAW")) === 0);
    const bundle = await readStored(nc, "CASINO_TESTED", 1);
    expect(bundle?.headers.get("Casino-Count")).toBe("3");
    expect(await count("CASINO_DEAD")).toBe(0);
    await waitFor(() => started.problem === undefined);
  });
});
