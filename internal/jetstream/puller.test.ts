import { createServer, connect as dial } from "node:net";
import { connect, headers, type Msg } from "nats";
import { afterAll, afterEach, describe, expect, onTestFinished, test } from "vitest";
import { brokerForTest } from "../../test/harness/broker.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { Puller } from "./puller.ts";

// The consumer is played by the test, message by message: what a cluster of the newest servers sends, and in which order,
// cannot be had from one server. A server lets nobody but itself say $JS.ACK, so the test says $JS_ACK, and a relay before the
// puller's connection makes the one of the other.

const { server, nc } = await brokerForTest();
const relay = createServer((client) => {
  const upstream = dial(Number(new URL(server.url).port), "127.0.0.1");
  client.pipe(upstream);
  upstream.on("data", (data) =>
    client.write(data.toString("latin1").replaceAll("$JS_ACK.", "$JS.ACK."), "latin1"),
  );
  for (const end of [client, upstream]) end.on("error", () => undefined);
  client.on("close", () => upstream.destroy());
});
await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve));
const address = relay.address();
const pulling = await connect({ servers: `127.0.0.1:${typeof address === "object" ? address?.port : ""}` });
afterAll(async () => {
  await pulling.close();
  relay.close();
});
const open: Puller[] = [];
let requests: Msg[] = [];

nc.subscribe("$JS.API.CONSUMER.MSG.NEXT.STREAM.reader", {
  callback: (_err, msg) => {
    requests.push(msg);
    if (open.length === 0) status(msg, 408, "Request Timeout");
  },
});

afterEach(async () => {
  const draining = open.splice(0).map((puller) => puller.drain());
  for (const each of requests) status(each, 408, "Request Timeout");
  await Promise.all(draining);
  requests = [];
});

/** Pulls with one request of ten messages in all at a time. */
function pull({ gathers = false } = {}) {
  const seen = { deliveries: 0, refusals: [] as string[], served: 0 };
  const puller = new Puller(pulling, {
    stream: "STREAM",
    consumer: "reader",
    batch: 10,
    gathers,
    room: () => 10,
    onDelivery: () => seen.deliveries++,
    onRefused: (code, description) => seen.refusals.push(`${code} ${description}`),
    onServed: () => seen.served++,
  });
  open.push(puller);
  return { seen };
}

let sequence = 0;
function deliver(request: Msg, count: number): void {
  for (let i = 0; i < count; i++)
    nc.publish(request.reply ?? "", "x", { reply: `$JS_ACK.STREAM.reader.1.${++sequence}.1.1.0` });
}

function status(request: Msg, code: number, description: string, pending?: number): void {
  const h = headers(code, description);
  if (pending !== undefined) h.set("Nats-Pending-Messages", String(pending));
  nc.publish(request.reply ?? "", "", { headers: h });
}

/** The n-th request, from 1. */
async function request(n: number): Promise<Msg> {
  await waitFor(() => requests.length >= n, { what: `request ${n}` });
  return requests[n - 1] ?? expect.fail("no request");
}

describe("the ordinary end of a request", () => {
  test.each([
    [404, "No Messages"],
    [408, "Request Timeout"],
    [409, "Message Size Exceeds MaxBytes"],
  ])("%i %s: asks again at once, and is no refusal", async (code, description) => {
    const { seen } = pull();
    deliver(await request(1), 4);
    status(await request(1), code, description, 6);
    await request(2);
    expect(seen).toEqual({ deliveries: 4, refusals: [], served: 1 });
  });

  test("409 Batch Completed behind its last delivery is no refusal of that request, nor of the next one", async () => {
    const { seen } = pull();
    deliver(await request(1), 10);
    status(await request(1), 409, "Batch Completed");
    deliver(await request(2), 10);
    status(await request(2), 409, "Batch Completed");
    await request(3);
    expect(seen).toMatchObject({ deliveries: 20, refusals: [] });
  });

  test("409 Batch Completed before its last deliveries: they are waited for, and keep their room meanwhile", async () => {
    const { seen } = pull();
    deliver(await request(1), 7);
    status(await request(1), 409, "Batch Completed");
    await waitFor(() => seen.served === 1);
    expect((await request(2)).json()).toMatchObject({ batch: 7 }); // room for ten, less the three that are on their way
    deliver(await request(1), 3);
    await waitFor(() => seen.deliveries === 10);
    expect(seen).toMatchObject({ deliveries: 10, refusals: [] });
  });

  test("408 before its last deliveries likewise: it says how many were not delivered", async () => {
    const { seen } = pull();
    deliver(await request(1), 2);
    status(await request(1), 408, "Request Timeout", 5);
    await waitFor(() => seen.served === 1);
    expect((await request(2)).json()).toMatchObject({ batch: 7 }); // room for ten, less the three that are on their way
    deliver(await request(1), 3);
    await waitFor(() => seen.deliveries === 5);
    expect(seen).toMatchObject({ deliveries: 5, refusals: [] });
  });

  test("what was delivered and never comes, because its leader died, is given up", async () => {
    const { seen } = pull();
    deliver(await request(1), 7);
    status(await request(1), 409, "Batch Completed");
    await request(2);
    expect(seen).toMatchObject({ deliveries: 7, refusals: [] });
  });
});

describe("a reader that lets messages gather", () => {
  test("takes what is there while messages come, and waits for the next one when there are none", async () => {
    const { seen } = pull({ gathers: true });
    expect((await request(1)).json()).toHaveProperty("expires");
    deliver(await request(1), 4);
    status(await request(1), 408, "Request Timeout", 6);
    expect((await request(2)).json()).toMatchObject({ no_wait: true });
    deliver(await request(2), 3);
    status(await request(2), 408, "Request Timeout", 7);
    expect((await request(3)).json()).toMatchObject({ no_wait: true });
    status(await request(3), 404, "No Messages");
    expect((await request(4)).json()).toHaveProperty("expires");
    expect(seen).toEqual({ deliveries: 7, refusals: [], served: 3 });
  });

  test("asks on at once while there is more than fits into a request", async () => {
    pull({ gathers: true });
    deliver(await request(1), 10);
    expect((await request(2)).json()).toMatchObject({ batch: 10, no_wait: true });
    deliver(await request(2), 6);
    status(await request(2), 409, "Message Size Exceeds MaxBytes", 4);
    expect((await request(3)).json()).toMatchObject({ batch: 10, no_wait: true });
  });
});

describe("a refusal", () => {
  test.each([
    [409, "Leadership Change"],
    [409, "Consumer Deleted"],
    [409, "Exceeded MaxRequestMaxBytes of 1000"],
    [503, "No Responders"],
  ])("%i %s is told, and asked again", async (code, description) => {
    const { seen } = pull();
    status(await request(1), code, description);
    await request(2);
    expect(seen).toMatchObject({ refusals: [`${code} ${description}`], served: 0 });
  });

  test("the pause after it grows while refusals follow each other", async () => {
    const { seen } = pull();
    const at: number[] = [];
    for (let n = 1; n <= 4; n++) {
      const current = await request(n);
      at.push(performance.now());
      status(current, 503, "No Responders");
    }
    await waitFor(() => seen.refusals.length === 4);
    const [first = 0, second = 0, third = 0] = at.slice(1).map((time, index) => time - (at[index] ?? 0));
    // At least the pauses themselves: how much more it takes depends on how busy the machine is.
    expect(first).toBeGreaterThanOrEqual(499);
    expect(second).toBeGreaterThanOrEqual(999);
    expect(third).toBeGreaterThanOrEqual(1_999);
  });
});

test("a puller that has ended leaves nothing behind at its connection", async () => {
  const own = await connect({ servers: server.url, pingInterval: 50 });
  onTestFinished(() => own.close());
  // Whoever hears of its reconnects.
  const { listeners } = (own as unknown as { protocol: { listeners: readonly unknown[] } }).protocol;
  const before = listeners.length;
  const ignore = () => undefined;
  const puller = new Puller(own, {
    ...{ stream: "STREAM", consumer: "reader", batch: 10, room: () => 10, onDelivery: ignore },
  });
  expect(listeners.length).toBeGreaterThan(before);
  await puller.drain();
  await waitFor(() => listeners.length === before, { timeout: 10_000 });
});
