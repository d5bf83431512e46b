import { DiscardPolicy } from "@nats-io/jetstream";
import { describe, expect, test } from "vitest";
import { brokerForTest } from "../../test/harness/broker.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { PublishError } from "./pub-ack.ts";
import { type Outgoing, Publisher } from "./publisher.ts";
import { OutgoingHeaders } from "./wire-headers.ts";

const { server, nc, jsm } = await brokerForTest();
const payload = Buffer.from("{}");

const message = (subject: string, id: string | number, body: Uint8Array = payload): Outgoing => ({
  subject,
  payload: body,
  headers: new OutgoingHeaders().add("Nats-Msg-Id", String(id)),
});

async function stream(name: string, limits: object = {}): Promise<string> {
  await jsm.streams.add({ name, subjects: [`${name}.>`], ...limits });
  return `${name}.x`;
}

const failure = (promise: Promise<unknown>): Promise<PublishError> =>
  promise.then(
    () => expect.fail("it was stored"),
    (err) => (err instanceof PublishError ? err : expect.fail(`not a PublishError: ${err}`)),
  );

describe("the publisher", () => {
  test("stores every message once and tells each its own sequence", async () => {
    const subject = await stream("many");
    const publisher = new Publisher(nc, { window: 100 });
    const acks = await Promise.all(
      Array.from({ length: 5_000 }, (_, i) => publisher.publish(message(subject, i))),
    );
    expect(new Set(acks.map((ack) => ack.seq)).size).toBe(5_000);
    expect(acks.every((ack) => ack.stream === "many" && !ack.duplicate)).toBe(true);
    expect((await jsm.streams.info("many")).state.messages).toBe(5_000);
    expect(publisher.stats).toEqual({ published: 5_000, duplicates: 0, failed: 0, resent: 0 });
    publisher.close();
  });

  test("routes each error to the message it belongs to", async () => {
    const subject = await stream("small", { max_msg_size: 1_000 });
    const publisher = new Publisher(nc);
    const outcomes = await Promise.allSettled([
      publisher.publish(message(subject, 1)),
      publisher.publish(message(subject, 2, Buffer.alloc(2_000))),
      publisher.publish(message("nobody.listens", 3)),
      publisher.publish(message(subject, 4, Buffer.alloc(nc.info?.max_payload ?? 0))),
      publisher.publish(message(subject, 5)),
    ]);
    expect(outcomes.map((outcome) => outcome.status)).toEqual([
      "fulfilled",
      "rejected",
      "rejected",
      "rejected",
      "fulfilled",
    ]);
    const errors = outcomes.flatMap((outcome) =>
      outcome.status === "rejected" ? [outcome.reason as PublishError] : [],
    );
    expect(errors.map((err) => err.isTooLarge)).toEqual([true, false, true]);
    expect(errors[1]?.message).toContain("no stream takes nobody.listens");
    expect(publisher.stats).toMatchObject({ published: 2, failed: 3 });
    publisher.close();
  });

  test("counts duplicates and stores nothing for them", async () => {
    const subject = await stream("twice");
    const publisher = new Publisher(nc);
    const first = await publisher.publish(message(subject, "a"));
    const second = await publisher.publish(message(subject, "a"));
    expect(first).toMatchObject({ stream: "twice", seq: 1, duplicate: false });
    expect(second).toMatchObject({ stream: "twice", seq: 1, duplicate: true });
    expect(publisher.stats.duplicates).toBe(1);
    publisher.close();
  });

  test("tells a full stream apart", async () => {
    const subject = await stream("full", { max_msgs: 1, discard: DiscardPolicy.New });
    const publisher = new Publisher(nc);
    await publisher.publish(message(subject, 1));
    expect((await failure(publisher.publish(message(subject, 2)))).isStreamFull).toBe(true);
    publisher.close();
  });

  test("fails what stays unanswered, and only that", async () => {
    const subject = await stream("answers");
    nc.subscribe("silence", { callback: () => undefined });
    const publisher = new Publisher(nc, { timeoutMs: 200 });
    const unanswered = failure(publisher.publish(message("silence", 1)));
    await publisher.publish(message(subject, 2));
    expect((await unanswered).message).toBe("no PubAck for silence within 0.2 s");
    expect(publisher.pending).toBe(0);
    publisher.close();
  });

  test("waits no longer than its caller, however long the connection is away", async () => {
    const subject = await stream("waits");
    const publisher = new Publisher(nc);
    const stop = new AbortController();
    const statuses = nc.status();
    await server.kill();
    for await (const { type } of statuses) if (type === "disconnect") break;
    const waiting = publisher.publish(message(subject, 1), stop.signal);
    stop.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    await expect(publisher.publish(message(subject, 2), stop.signal)).rejects.toThrow("enough");
    expect(publisher.pending).toBe(1);
    await server.start();
    // It is stored all the same.
    await waitFor(() => publisher.stats.published === 1);
    publisher.close();
  });

  test("holds what does not fit into the window until there is room", async () => {
    const subject = await stream("window");
    const got: string[] = [];
    nc.subscribe("slow", { callback: (_err, msg) => void got.push(msg.reply ?? "") });
    const publisher = new Publisher(nc, { window: 2 });
    const outcomes = [1, 2, 3].map((id) => publisher.publish(message("slow", id)));
    await nc.flush();
    await waitFor(() => got.length === 2);
    expect(publisher.pending).toBe(3);
    const answer = JSON.stringify({ stream: "slow", seq: 1 });
    for (const reply of got.splice(0)) nc.publish(reply, answer);
    await waitFor(() => got.length === 1);
    for (const reply of got.splice(0)) nc.publish(reply, answer);
    await Promise.all(outcomes);
    await publisher.publish(message(subject, 9));
    publisher.close();
  });

  test("loses and doubles nothing when the server is killed under load", async () => {
    const subject = await stream("killed");
    const publisher = new Publisher(nc, { window: 500, timeoutMs: 30_000 });
    const acks = Array.from({ length: 20_000 }, (_, i) => publisher.publish(message(subject, i)));
    await acks[3_000];
    await server.kill();
    expect(publisher.pending).toBeGreaterThan(0);
    await server.start();
    await Promise.all(acks);
    expect(publisher.stats.resent).toBeGreaterThan(0);
    expect((await jsm.streams.info("killed")).state.messages).toBe(20_000);
    publisher.close();
  });

  test("tells each message once, also when the first failure makes its owner close the publisher", async () => {
    nc.subscribe("mute", { callback: () => undefined });
    const publisher = new Publisher(nc, { timeoutMs: 100 });
    const told = [0, 0, 0];
    for (const id of told.keys())
      publisher.send(message("mute", id), () => {
        told[id] = (told[id] ?? 0) + 1;
        publisher.close();
      });
    await waitFor(() => told.includes(1));
    expect(told).toEqual([1, 1, 1]);
    expect(publisher.stats.failed).toBe(3);
  });

  test("an answer that comes too late is not taken for that of the message in its place", async () => {
    const subject = await stream("late");
    const replies: string[] = [];
    nc.subscribe("tardy", { callback: (_err, msg) => void replies.push(msg.reply ?? "") });
    const publisher = new Publisher(nc, { window: 1, timeoutMs: 200 });
    expect((await failure(publisher.publish(message("tardy", 1)))).message).toContain("no PubAck");
    const next = failure(publisher.publish(message("tardy", 2)));
    await waitFor(() => replies.length === 2);
    nc.publish(replies[0] ?? "", JSON.stringify({ stream: "late", seq: 1 }));
    expect((await next).message).toContain("no PubAck");
    expect(await publisher.publish(message(subject, 3))).toMatchObject({ stream: "late" });
    publisher.close();
  });

  test("ignores what is no PubAck, and settles by the one that comes after it", async () => {
    const replies: string[] = [];
    nc.subscribe("forged", { callback: (_err, msg) => void replies.push(msg.reply ?? "") });
    const publisher = new Publisher(nc);
    const outcome = publisher.publish(message("forged", 1));
    await waitFor(() => replies.length === 1);
    for (const text of ['{"events_total":5}', '{"error":"wrong"}', "", "x"])
      nc.publish(replies[0] ?? "", text);
    nc.publish(replies[0] ?? "", '{"stream":"forged","seq":7}');
    expect(await outcome).toMatchObject({ seq: 7 });
    expect(publisher.stats).toMatchObject({ published: 1, failed: 0 });
    publisher.close();
  });

  test("awaits each PubAck on a subject that does not follow from those before", async () => {
    const replies: string[] = [];
    nc.subscribe("seen", { callback: (_err, msg) => void replies.push(msg.reply ?? "") });
    const publisher = new Publisher(nc);
    for (let id = 0; id < 100; id++) publisher.send(message("seen", id), () => undefined);
    await waitFor(() => replies.length === 100);
    const numbers = replies.map((reply) => Number(reply.slice(reply.lastIndexOf(".") + 1)));
    const steps = numbers.slice(1).map((number, index) => number - (numbers[index] ?? 0));
    expect(new Set(steps).size).toBe(99);
    publisher.close();
  });

  test("rejects what is in flight when it is closed", async () => {
    nc.subscribe("never", { callback: () => undefined });
    const publisher = new Publisher(nc, { window: 1 });
    const outcomes = [
      failure(publisher.publish(message("never", 1))),
      failure(publisher.publish(message("never", 2))),
    ];
    publisher.close();
    for (const outcome of await Promise.all(outcomes))
      expect(outcome.message).toContain("closed before the stream answered");
    expect((await failure(publisher.publish(message("never", 3)))).message).toBe("the publisher is closed");
  });
});
