import { describe, expect, onTestFinished, test } from "vitest";
import { brokerForTest, silent } from "../../test/harness/broker.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { Unavailable } from "../service/unavailable.ts";
import type { Delivery } from "./delivery.ts";
import type { Durable } from "./durable.ts";
import type { Mailbox } from "./mailbox.ts";
import { Reader } from "./reader.ts";

const { nc, jsm } = await brokerForTest();

let streams = 0;
/** A fresh work queue with so many messages, and a reader of it, which the test need not stop. */
async function read(messages: number): Promise<{ reader: Reader; mailbox: Mailbox; durable: Durable }> {
  const stream = `queue${++streams}`;
  await jsm.streams.add({ name: stream, subjects: [`${stream}.*`], retention: "workqueue" });
  for (let n = 0; n < messages; n++) await nc.request(`${stream}.x`);
  // Handed back, or not: by itself nothing comes again within a test.
  const durable = { stream, name: "reader", filter: `${stream}.*`, maxAckPending: 100, ackWaitMs: 60_000 };
  const reader = new Reader("reader", { nc, log: silent });
  onTestFinished(() => reader.stop());
  return { reader, durable, mailbox: await reader.open({ durable }) };
}

const take = async (mailbox: Mailbox): Promise<Delivery> =>
  (await mailbox.take())?.[0] ?? expect.fail("nothing came");
const left = async ({ stream }: Durable) => (await jsm.streams.info(stream)).state.messages;
/** Whether the message was handed back: whoever reads next gets it. */
const isHandedBack = async (durable: Durable) => {
  const next = new Reader("next", { nc, log: silent });
  const mailbox = await next.open({ durable });
  const delivery = await take(mailbox);
  mailbox.ack(delivery);
  await next.stop();
  return delivery.isRedelivered;
};

describe("a stop", () => {
  test("waits for the work, and for what is settled after it", async () => {
    const { reader, mailbox, durable } = await read(1);
    const delivery = await take(mailbox);
    const work = Promise.withResolvers<void>();
    reader.run(work.promise);
    const stopped = reader.stop();
    await waitFor(() => reader.stopping.aborted);
    expect(await mailbox.take()).toBeUndefined();
    expect(await Promise.race([stopped, nc.flush().then(() => "waiting")])).toBe("waiting");
    work.resolve();
    expect(await Promise.race([stopped, nc.flush().then(() => "waiting")])).toBe("waiting");
    mailbox.ack(delivery);
    await stopped;
    expect(reader.cut.aborted).toBe(false);
    await waitFor(async () => (await left(durable)) === 0);
  });

  test("hands back what is held when time runs out, and cuts I/O", async () => {
    const { reader, mailbox, durable } = await read(1);
    await take(mailbox);
    reader.run(new Promise(() => undefined));
    await reader.stop();
    expect(reader.cut.reason).toMatchObject({ message: "reader has no time left" });
    expect(await isHandedBack(durable)).toBe(true);
  });

  test("hands back at once what abandoned work has left", async () => {
    const { reader, mailbox, durable } = await read(1);
    await take(mailbox);
    reader.run(new Promise(() => undefined));
    reader.abandon();
    await reader.stop();
    expect(reader.cut.reason).toMatchObject({ message: "reader does not come back" });
    expect(await isHandedBack(durable)).toBe(true);
  });

  test("stops all mailboxes of a reader", async () => {
    const { reader, mailbox, durable } = await read(0);
    const { stream } = durable;
    await jsm.consumers.delete(stream, durable.name);
    const other = await reader.open({ durable: { ...durable, name: "other", filter: `${stream}.y` } });
    reader.run(Promise.all([mailbox.take(), other.take()]));
    await reader.stop();
    expect(await other.take()).toBeUndefined();
  });
});

describe("a held call", () => {
  const away = new Unavailable("Postgres is away");

  test("is repeated while something is away, which is a problem meanwhile", async () => {
    const { reader } = await read(0);
    const problems: (string | undefined)[] = [];
    const isDone = await reader.hold("step", {}, async () => {
      problems.push(reader.problem);
      if (problems.length < 3) throw away;
    });
    expect(isDone).toBe(true);
    expect(problems).toEqual([undefined, away.message, away.message]);
    await waitFor(() => reader.problem === undefined);
  });

  test("throws what is no outage, unless that is to be repeated too", async () => {
    const { reader } = await read(0);
    const bug = new Error("a bug");
    let calls = 0;
    const fail = async () => {
      if (++calls < 3) throw bug;
    };
    await expect(reader.hold("step", {}, fail)).rejects.toBe(bug);
    expect(reader.problem).toBeUndefined();
    expect(await reader.hold("step", {}, fail, { isFinal: () => false })).toBe(true);
    expect(calls).toBe(3);
  });

  test("ends with a stop: what waits is handed back", async () => {
    const { reader, mailbox, durable } = await read(1);
    const delivery = await take(mailbox);
    const work = reader.hold("step", {}, () => Promise.reject(away));
    reader.run(work.then((isDone) => isDone || mailbox.nak(delivery)));
    await waitFor(() => reader.problem);
    await reader.stop();
    expect(await work).toBe(false);
    expect(reader.cut.aborted).toBe(false);
    expect(await isHandedBack(durable)).toBe(true);
  });

  test("goes on after a stop where it is told so, until time runs out", async () => {
    const { reader } = await read(0);
    let isBack = false;
    const call = () => (isBack ? Promise.resolve() : Promise.reject(away));
    const work = reader.hold("deliveries", {}, call, { until: reader.cut });
    reader.run(work);
    const stopped = reader.stop();
    await waitFor(() => reader.stopping.aborted);
    isBack = true;
    await stopped;
    expect(await work).toBe(true);
  });
});
