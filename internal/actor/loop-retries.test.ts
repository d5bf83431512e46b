import { DiscardPolicy } from "@nats-io/jetstream";
import { describe, expect, test } from "vitest";
import { defaultLimits } from "../../test/harness/broker.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { decodeRaw } from "../casino/decode.ts";
import { ensureStreams } from "../jetstream/topology.ts";
import { idsIn } from "../messages/bundle.fixture.ts";
import { bytesOf } from "../messages/enclosed.ts";
import { Unavailable } from "../service/unavailable.ts";
import { each, loopForTest, passOn, raw } from "./loop.fixture.ts";
import { forward, later } from "./step.ts";

const { count, countEvents, jsm, nc, send, server, settled, start } = await loopForTest();

describe("the actor loop, when an event cannot be done at once,", () => {
  test("keeps copies in their mailbox until they can be written down", async () => {
    const run = await start(passOn, undefined, "final");
    await jsm.streams.update("CASINO_COPIES", { discard: DiscardPolicy.New, max_msgs: 1 });
    nc.publish("casino.copies.test", "full");
    for (let copy = 0; copy < 2; copy++) await send(raw(71));
    await waitFor(() => run.problem !== undefined);
    expect(await count("CASINO_RAW")).toBe(1);
    await jsm.streams.update("CASINO_COPIES", { max_msgs: -1 });
    await waitFor(async () => (await count("CASINO_RAW")) === 0);
    expect(await count("CASINO_COPIES")).toBe(2);
    await waitFor(() => run.problem === undefined);
  });

  test("what has to wait comes again, others pass it", async () => {
    let attempts = 0;
    await start(each((id) => (id === 20 && ++attempts < 3 ? later("not yet") : undefined)));
    for (const id of [20, 21, 22]) await send(raw(id));
    const { forwarded } = await settled();
    expect(idsIn(forwarded)).toEqual([21, 22, 20]);
    expect(attempts).toBe(3);
  });

  test("what cannot be read now comes again, others pass it; what cannot be read at all is set aside", async () => {
    let away = true;
    await start(passOn, async (event) => {
      const decoded = decodeRaw(bytesOf(event));
      if (decoded.ok && decoded.event.id === 1 && away) throw new Unavailable("the types are away");
      return decoded;
    });
    await send(raw(1));
    await send(raw(2));
    await send("{}");
    await waitFor(
      async () => (await countEvents("CASINO_TESTED")) === 1 && (await count("CASINO_DEAD")) === 1,
    );
    // What was forwarded and what was set aside goes a moment later.
    await waitFor(async () => (await count("CASINO_RAW")) === 1);
    away = false;
    const { forwarded } = await settled();
    expect(idsIn(forwarded)).toEqual([2, 1]);
  });

  test("while something is away it holds its batch, raises no delivery count, and says so", async () => {
    let away = true;
    const run = await start(async (batch, context) => {
      if (away) throw new Unavailable("Postgres is away");
      return passOn(batch, context);
    });
    for (const id of [30, 31]) await send(raw(id));
    await waitFor(() => run.problem === "Postgres is away");
    const consumer = await jsm.consumers.info("CASINO_RAW", "test");
    expect(consumer.num_redelivered).toBe(0);
    away = false;
    expect(idsIn((await settled()).forwarded)).toHaveLength(2);
    await waitFor(() => run.problem === undefined);
    expect(await count("CASINO_DEAD")).toBe(0);
  });

  test("an event that makes the step fail does not keep its batch-mates, and is set aside in the end", async () => {
    await start(async (batch) => {
      if (batch.some(({ event }) => event.id === 41)) throw new TypeError("a bug");
      return batch.map(({ event }) => forward(event));
    });
    for (const id of [40, 41, 42]) await send(raw(id));
    await waitFor(async () => (await countEvents("CASINO_TESTED")) === 2);
    expect(await count("CASINO_DEAD")).toBe(0);
    const { dead } = await settled();
    expect(dead.map((letter) => letter.headers["Casino-Dead-Reason"])).toEqual(["max_deliveries"]);
    expect(dead[0]?.headers).toMatchObject({
      "Casino-Dead-Error": "The step test failed: a bug",
      "Casino-Dead-Deliveries": "5",
    });
  });

  test("failures on an event are counted over all processes, and not by its deliveries", async () => {
    let failures = 0;
    let laters = 0;
    const enrich = each((id) => {
      if (id !== 43) return undefined;
      if (laters < 1) return later(`not yet, ${++laters}`);
      failures++;
      throw new TypeError("a bug");
    });
    await start(enrich);
    await start(enrich);
    await send(raw(43));
    const { dead } = await settled();
    expect(dead.map((letter) => letter.headers["Casino-Dead-Deliveries"])).toEqual(["6"]);
    expect(failures).toBe(5);
  });

  test("what is delivered for the first time costs no mark; what comes again leaves none behind", async () => {
    let away = true;
    await start(each((id) => (away && id === 44 ? later("not yet") : undefined)));
    const marks = async () => (await jsm.streams.info("KV_casino_in_hand")).state;
    for (let id = 100; id < 200; id++) await send(raw(id));
    await waitFor(async () => (await countEvents("CASINO_TESTED")) === 100);
    expect((await marks()).last_seq).toBe(0);
    await send(raw(44));
    await waitFor(async () => (await marks()).last_seq > 0);
    away = false;
    await settled();
    await waitFor(async () => (await marks()).messages === 0);
  });

  test("goes on without marks where their bucket is out of reach", async () => {
    let attempts = 0;
    await start(each((id) => (id === 45 && ++attempts < 3 ? later("not yet") : undefined)));
    await jsm.streams.delete("KV_casino_in_hand");
    await jsm.streams.add({ name: "other", subjects: ["$KV.casino_in_hand.>"] });
    await send(raw(45));
    expect((await settled()).forwarded).toHaveLength(1);
  });

  test("a full next stage keeps events where they are until it has room", async () => {
    const run = await start(passOn);
    await jsm.streams.update("CASINO_TESTED", { max_msgs: 1 });
    await send(raw(50));
    await waitFor(async () => (await count("CASINO_TESTED")) === 1);
    await send(raw(51));
    await waitFor(() => run.problem !== undefined);
    expect(await count("CASINO_RAW")).toBe(1);
    await jsm.streams.update("CASINO_TESTED", { max_msgs: -1 });
    expect(idsIn((await settled()).forwarded)).toHaveLength(2);
    expect(await count("CASINO_DEAD")).toBe(0);
  });

  test("keeps an event that a cluster calls a duplicate and has not stored", async () => {
    const run = await start(passOn);
    await jsm.streams.delete("CASINO_TESTED");
    const saysSo: boolean[] = [];
    const cluster = nc.subscribe("casino.event.tested.>", {
      callback: (_err, message) => {
        saysSo.push(run.problem !== undefined);
        message.respond('{"stream":"CASINO_TESTED", "seq":0,"duplicate": true}');
      },
    });
    await send(raw(52));
    await waitFor(() => saysSo.length === 3);
    // Once is usual: a producer's copy comes while its original is being stored.
    expect(saysSo).toEqual([false, false, true]);
    expect(await count("CASINO_RAW")).toBe(1);
    cluster.unsubscribe();
    await ensureStreams(nc, ["tested"], defaultLimits);
    expect(idsIn((await settled()).forwarded)).toHaveLength(1);
    await waitFor(() => run.problem === undefined);
  });

  test("while the next stage is full it works on no more events than may be in flight, and a stop hands them back", async () => {
    let asked = 0;
    const run = await start(async (batch, context) => {
      asked += batch.length;
      return passOn(batch, context);
    });
    await jsm.streams.update("CASINO_TESTED", { max_msgs: 1 });
    nc.publish("casino.event.tested.casino.bet", raw(9_999));
    let attempts = 0;
    const arrays = Array.from({ length: 30 }, (_, i) =>
      Array.from({ length: 100 }, (_, j) => raw(10_000 + 100 * i + j)),
    );
    nc.subscribe("casino.event.tested.>", { callback: () => void attempts++ });
    for (const events of arrays) await send(`[${events.join()}]`);
    await waitFor(() => asked >= 1_024);
    // By the third attempt of them all it would have taken the others long ago.
    const once = attempts;
    await waitFor(() => attempts >= 3 * Math.max(once, 1));
    expect(asked).toBeLessThanOrEqual(1_024 + 256);
    await run.stop();
    await jsm.streams.update("CASINO_TESTED", { max_msgs: -1 });
    await start(passOn);
    await waitFor(async () => (await count("CASINO_RAW")) === 0);
    expect(new Set(idsIn((await settled()).forwarded)).size).toBe(3_001);
  });

  test("a stop hands back what it holds at once and sets nothing aside", async () => {
    const run = await start(async () => {
      throw new Unavailable("away for good");
    });
    for (const id of [60, 61]) await send(raw(id));
    await waitFor(() => run.problem !== undefined);
    await run.stop();
    expect(await count("CASINO_RAW")).toBe(2);
    expect(await count("CASINO_DEAD")).toBe(0);
    await start(passOn);
    expect(idsIn((await settled()).forwarded)).toHaveLength(2);
  });

  test("loses and doubles nothing with two runs, stops in the middle and a killed server", async () => {
    // What was forwarded twice in different bundles is final once.
    const startOne = () => start(passOn, undefined, "final");
    const first = await startOne();
    await startOne();
    const sending = Promise.all(Array.from({ length: 10_000 }, (_, i) => send(raw(1_000 + i))));
    await waitFor(async () => (await count("CASINO_EVENTS")) > 500);
    await first.stop();
    await startOne();
    await server.kill();
    await server.start();
    await sending;
    await waitFor(async () => (await count("CASINO_EVENTS")) >= 10_000 && (await count("CASINO_RAW")) === 0);
    expect(await count("CASINO_EVENTS")).toBe(10_000);
    expect(await count("CASINO_DEAD")).toBe(0);
  });
});
