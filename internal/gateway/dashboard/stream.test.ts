import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createConnection } from "node:net";
import { promisify } from "node:util";
import { connect, headers } from "nats";
import { describe, expect, onTestFinished, test } from "vitest";
import { connectForTest } from "../../../test/harness/broker.ts";
import { waitFor } from "../../../test/harness/wait-for.ts";
import { keysIn } from "../../clients/api-key-cache.ts";
import { createKey } from "../../clients/client-repository.ts";
import type { Keys } from "../../http/authentication.ts";
import { OutgoingHeaders } from "../../jetstream/wire-headers.ts";
import { spoken, statusOf, workOf } from "../../overview/status.fixture.ts";
import { gatewaysOfFile, keyFor, type TestGateway } from "../gateway.fixture.ts";
import { Tails } from "./tails.ts";
import { type Viewer, Viewers } from "./viewers.ts";

const { server, db, openGateway } = await gatewaysOfFile();
const { nc } = await connectForTest(server);
const operator = await createKey(db, "operator");
const client = await keyFor(db, "stream");

interface Heard {
  readonly event: string;
  readonly data: Record<string, unknown> & unknown[];
}

/** What comes of the stream, as it comes; ended after the test. */
async function listen(gateway: TestGateway, key = operator, query = "") {
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const answer = await fetch(`${await gateway.origin()}/dashboard/stream${query}`, {
    headers: { authorization: `Bearer ${key}` },
    signal: stop.signal,
  });
  const heard: Heard[] = [];
  let ended = false;
  const reading = (async () => {
    let text = "";
    for await (const chunk of answer.body ?? []) {
      text += Buffer.from(chunk).toString();
      for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
        const [, event = "", data = ""] = /^event: (\w+)\ndata: (.*)$/.exec(text.slice(0, end)) ?? [];
        heard.push({ event, data: JSON.parse(data) });
        text = text.slice(end + 2);
      }
    }
  })()
    .catch(() => undefined)
    .finally(() => {
      ended = true;
    });
  return {
    answer,
    heard,
    last: (event: string) => heard.findLast((one) => one.event === event)?.data,
    hasEnded: () => ended,
    reading,
  };
}

const emit = (to: string, type: string, more: object = {}) => {
  const hdrs = headers();
  hdrs.set("Casino-Source", "test");
  nc.publish(`casino.event.final.${to}.${type}`, JSON.stringify({ id: 1, type, ...more }), { headers: hdrs });
};

describe("the stream", () => {
  test("begins with the history, and has a frame each second with what services say", async () => {
    const gateway = await openGateway();
    const status = statusOf("enricher", { work: { currency: workOf(), description: workOf({ rate: 42 }) } });
    const timer = setInterval(() => nc.publish(...spoken(status)), 100);
    onTestFinished(() => clearInterval(timer));
    const { answer, heard, last } = await listen(gateway);
    expect(answer.headers.get("content-type")).toContain("text/event-stream");
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
    const told = () => heard.filter(({ event, data }) => event === "frame" && data.rate === 42);
    await waitFor(() => told().length >= 3);
    expect(heard[0]?.event).toBe("history");
    expect(heard[0]?.data.rates).toHaveLength(900);
    const { steps } = Object(last("frame")?.picture) as { steps: { name: string; health: string }[] };
    expect(steps.find(({ name }) => name === "currency")).toMatchObject({ health: "up" });
    expect(steps.find(({ name }) => name === "player")).toMatchObject({ health: "down" });
    // Whoever comes later sees what was before.
    const second = await listen(gateway);
    await waitFor(() => (second.heard[0]?.data.rates as unknown[] | undefined)?.includes(42));
  });

  test("says that NATS tells nothing any more, rather than that every service has stopped", async () => {
    const gateway = await openGateway();
    const { last } = await listen(gateway);
    const speak = () => nc.publish(...spoken(statusOf("enricher", { work: { currency: workOf() } })));
    await waitFor(() => {
      speak();
      return last("frame")?.broker === null && JSON.stringify(last("frame")).includes('"health":"up"');
    });
    await waitFor(() => String(last("frame")?.broker).startsWith("no status arrives any more"));
    speak();
    await waitFor(() => last("frame")?.broker === null);
  });

  test("tells a client nothing of others, and nothing of the pipeline", async () => {
    const gateway = await openGateway();
    const { last, heard } = await listen(gateway, client, "?tail=true");
    await waitFor(() => last("frame"));
    expect(Object.keys(last("frame") ?? {}).sort()).toEqual([
      ...["at", "broker", "figures", "letters", "rate", "second"],
    ]);
    await waitFor(() => {
      emit("acme-casino", "bet");
      emit("casino", "bet");
      return last("tail");
    });
    const events = heard.filter(({ event }) => event === "tail").flatMap(({ data }) => [...data]);
    expect(new Set(events.map((one) => Object(one).client))).toEqual(new Set(["casino"]));
    expect((await listen(gateway, client, "?client_id=acme-casino")).answer.status).toBe(403);
    expect((await listen(gateway, "cr_00000000_wrong")).answer.status).toBe(401);
  });

  test("forgets viewers whose answers wait behind another on their connection", async () => {
    const gateway = await openGateway();
    const port = Number(new URL(await gateway.origin()).port);
    const request = `GET /dashboard/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${operator}\r\n\r\n`;
    for (let n = 0; n < 10; n++) {
      const socket = createConnection(port, "127.0.0.1");
      socket.write(request.repeat(3));
      await once(socket, "data");
      socket.destroy();
    }
    await waitFor(async () => (await listen(gateway)).answer.status === 200);
  });

  test("ends for a viewer that reads nothing, without another word", async () => {
    const gateway = await openGateway();
    const port = Number(new URL(await gateway.origin()).port);
    const asked = once(gateway.app.server, "request");
    const socket = createConnection(port, "127.0.0.1").pause();
    onTestFinished(() => void socket.destroy());
    socket.write(`GET /dashboard/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${operator}\r\n\r\n`);
    const [, answer] = (await asked) as [IncomingMessage, ServerResponse];
    await waitFor(() => answer.headersSent);
    await waitFor(() => {
      answer.write(`: ${" ".repeat(50_000)}\n\n`);
      return answer.writableLength > 100_000;
    });
    const failed: unknown[] = [];
    answer.on("error", (err) => failed.push(err));
    gateway.stop.abort();
    // Frames go on for the others.
    const other = await openGateway();
    const { heard } = await listen(other);
    await waitFor(() => heard.filter(({ event }) => event === "frame").length >= 3);
    expect([failed, answer.writableEnded, answer.closed]).toEqual([[], true, false]);
  });

  test("ends with the key, and with the process", async () => {
    const gateway = await openGateway();
    const stream = await listen(gateway);
    await waitFor(() => stream.heard.length > 0);
    gateway.stop.abort();
    await waitFor(() => stream.hasEnded());
  });
});

test("a viewer whose connection closes before its key is known takes no place", async () => {
  const known = keysIn(db);
  const release = Promise.withResolvers<void>();
  let asked = 0;
  let found = 0;
  const find: Keys["find"] = async (key, from) => {
    asked++;
    await release.promise;
    return known.find(key, from).finally(() => found++);
  };
  const gateway = await openGateway({ keys: { find } });
  const origin = await gateway.origin();
  const impatient = Array.from({ length: 20 }, () => {
    const socket = createConnection(Number(new URL(origin).port), "127.0.0.1");
    socket.write(`GET /dashboard/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${operator}\r\n\r\n`);
    return socket;
  });
  await waitFor(() => asked === impatient.length);
  for (const socket of impatient) socket.destroy();
  const connections = promisify(gateway.app.server.getConnections.bind(gateway.app.server));
  await waitFor(async () => (await connections()) === 0);
  release.resolve();
  await waitFor(() => found === impatient.length);
  expect((await listen(gateway)).answer.status).toBe(200);
});

describe("the tail", () => {
  const follow = async (filter: { client?: string; type?: string }) => {
    const own = await connect({ servers: server.url });
    const events: { client: string; source: string; event: { type: string; n?: number } }[] = [];
    const end = new Tails(own).follow(filter, (text) =>
      events.push(...JSON.parse(/data: (.*)/.exec(text)?.[1] ?? "")),
    );
    await own.flush();
    onTestFinished(() => own.close());
    return { events, end, own };
  };

  test("has the events of one client and type, with their source", async () => {
    const { events } = await follow({ client: "casino", type: "bet" });
    for (const [to, type] of [
      ["acme", "bet"],
      ["casino", "deposit"],
      ["casino", "bet"],
    ] as const)
      emit(to, type);
    nc.publish("casino.event.final.casino.bet", "no JSON\n\nevent: frame\ndata: {}");
    const headers = new OutgoingHeaders().add("bad name", "1").forPublish;
    nc.publish("casino.event.final.casino.bet", "no event", { headers });
    emit("casino", "bet", { n: 2 });
    await waitFor(() => events.length >= 2);
    expect(events.map(({ client: of, source, event }) => [of, source, event.type])).toEqual([
      ["casino", "test", "bet"],
      ["casino", "test", "bet"],
    ]);
  });

  test("takes no more from the broker than it shows, and all of what is few", async () => {
    const { events, own } = await follow({});
    for (let n = 0; n < 2_000; n++) emit("casino", "bet", { n });
    await nc.flush();
    await waitFor(() => events.length >= 25);
    expect(own.stats().inMsgs).toBeLessThan(500);
    events.length = 0;
    await waitFor(() => {
      emit("casino", "last");
      return events.some(({ event }) => event.type === "last");
    });
  });

  test("costs nothing when nobody follows any more", async () => {
    const { events, end, own } = await follow({});
    emit("casino", "bet");
    await waitFor(() => events.length === 1);
    end();
    await own.flush();
    const before = own.stats().inMsgs;
    for (let n = 0; n < 10; n++) emit("casino", "bet");
    await nc.flush();
    await own.flush();
    expect(own.stats().inMsgs).toBe(before);
  });
});

test("so many may look at once, of all and with one key", () => {
  const viewers = new Viewers();
  const viewer = (): Viewer => ({ client: undefined, send: () => undefined });
  for (let n = 0; n < 20; n++) viewers.add(viewer(), "a");
  expect(() => viewers.add(viewer(), "a")).toThrow("has 20 dashboards open");
  for (let n = 0; n < 180; n++) viewers.add(viewer(), `other ${n}`);
  expect(() => viewers.add(viewer(), "b")).toThrow("Too many");
  const [first] = viewers.all;
  if (first !== undefined) viewers.remove(first);
  viewers.add(viewer(), "a");
});
