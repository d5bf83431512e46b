import { once } from "node:events";
import { request } from "node:http";
import { text } from "node:stream/consumers";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Msg } from "nats";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { connectForTest } from "../../../test/harness/broker.ts";
import { waitFor } from "../../../test/harness/wait-for.ts";
import { prefixOf } from "../../clients/api-key.ts";
import { revokeKey } from "../../clients/client-repository.ts";
import { deposit, emptyRaw, gatewaysOfFile, keyFor, storedMessages } from "../gateway.fixture.ts";

const { server, db, key, openGateway } = await gatewaysOfFile("stream");
const { jsm } = await connectForTest(server);

beforeEach(() => emptyRaw(jsm));

const headers = { authorization: `Bearer ${key}`, "content-type": "application/x-ndjson" };
const storedCount = async () =>
  (await storedMessages(jsm)).reduce((sum, { events }) => sum + events.length, 0);
const line = (id: number) => `${JSON.stringify(deposit(id))}\n`;

/** Memory in use, garbage aside. */
function used(): number {
  setFlagsFromString("--expose-gc");
  const collectGarbage: () => void = runInNewContext("gc");
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** An upload that the test writes bit by bit. */
async function upload(origin: string, authorization = headers.authorization) {
  const sending = request(`${origin}/events`, { method: "POST", headers: { ...headers, authorization } });
  onTestFinished(() => void sending.destroy());
  const answer = once(sending, "response").then(async ([response]) => {
    return {
      status: response.statusCode as number, // a response always has one
      headers: response.headers,
      body: JSON.parse(await text(response)),
    };
  });
  answer.catch(() => undefined);
  sending.on("error", () => undefined);
  sending.flushHeaders();
  return { sending, answer };
}

async function post(origin: string, body: string | Buffer) {
  const response = await fetch(`${origin}/events`, { method: "POST", headers, body });
  return { status: response.status, body: JSON.parse(await response.text()) };
}

test("takes one event per line, whatever ends it; the index is the number of the line, blank ones counted", async () => {
  const { origin } = await openGateway();
  const body = `\ufeff${line(1)}\r\n  \n{"id":2}\n${line(1)}nonsense\n[]\n${line(3).trim()}`;
  const answer = await post(await origin(), body);
  expect(answer.status).toBe(207);
  expect(answer.body).toEqual({
    accepted: 3,
    rejected: [
      { index: 3, errors: expect.arrayContaining([{ path: "/type", message: expect.any(String) }]) },
      { index: 5, errors: [{ path: "", message: "must be JSON in UTF-8" }] },
      { index: 6, errors: [{ path: "", message: "must be object" }] },
    ],
  });
  expect(await storedCount()).toBe(3);
});

test("without any event, or without a valid one, is a problem", async () => {
  const { origin } = await openGateway();
  for (const body of ["", "\n\n \r\n"])
    expect(await post(await origin(), body)).toMatchObject({
      status: 400,
      body: { detail: "The body holds no event." },
    });
  expect(await post(await origin(), "{}\n5")).toMatchObject({
    status: 400,
    body: { accepted: 0, rejected: [{ index: 0 }, { index: 1 }] },
  });
});

test("100,000 lines of 2 KB are counted exactly, with memory for a few of them", async () => {
  const { origin } = await openGateway();
  const url = await origin();
  const total = 100_000;
  const kind = (n: number) => (n % 20 === 7 ? "invalid" : "valid");
  // Dropped, but it has to be read.
  const padding = "x".repeat(2_000);
  const padded = (event: object) => `${JSON.stringify({ ...event, padding })}\n`;
  let most = 0;
  async function* lines(): AsyncGenerator<Uint8Array> {
    for (let n = 0; n < total; n += 500) {
      let lines = "";
      for (let i = n; i < n + 500; i++)
        lines += kind(i) === "invalid" ? padded({ id: i, type: "deposit" }) : padded(deposit(i + 1));
      yield Buffer.from(lines);
      if (n % 10_000 === 0) most = Math.max(most, used());
    }
  }
  const before = used();
  const response = await fetch(`${url}/events`, {
    method: "POST",
    headers,
    body: ReadableStream.from(lines()),
    duplex: "half",
  });
  const body = JSON.parse(await response.text());
  const count = (what: string) =>
    Array.from({ length: total }, (_, n) => kind(n)).filter((k) => k === what).length;
  expect(response.status).toBe(207);
  expect({ ...body, rejected: body.rejected.length }).toEqual({
    accepted: count("valid"),
    rejected: 1_000,
    rejected_total: count("invalid"),
  });
  expect(body.rejected.slice(0, 3).map(({ index }: { index: number }) => index)).toEqual([7, 27, 47]);
  expect(await storedCount()).toBe(count("valid"));
  expect(most - before).toBeLessThan(30 * 2 ** 20);
});

test("events are stored while the upload goes on, and stay when it is cut", async () => {
  const { origin } = await openGateway();
  const { sending } = await upload(await origin());
  sending.write(line(1) + line(2));
  await waitFor(async () => (await storedCount()) === 2);
  sending.write(line(3).slice(0, -1));
  sending.destroy();
  const again = await post(await origin(), line(1) + line(2) + line(3));
  expect(again).toMatchObject({ status: 202, body: { accepted: 3 } });
});

test("a line that is too long is refused by itself, however long", async () => {
  const { origin } = await openGateway();
  const { sending, answer } = await upload(await origin());
  sending.write(line(1));
  for (let i = 0; i < 40; i++) if (!sending.write("x".repeat(100_000))) await once(sending, "drain");
  sending.end(`\n${line(2)}`);
  expect(await answer).toMatchObject({
    status: 207,
    body: {
      accepted: 2,
      rejected: [
        {
          index: 1,
          errors: [{ path: "", message: "must be at most 983040 bytes as JSON, headers included" }],
        },
      ],
    },
  });
});

test("whoever sends a line too slowly is answered with what was taken, however steadily he drips", async () => {
  const { origin } = await openGateway({ limits: { bodyWithinMs: 400, lingerMs: 200 } });
  const { sending, answer } = await upload(await origin());
  sending.write(line(1));
  const dripping = setInterval(() => sending.write(" x"), 20);
  onTestFinished(() => clearInterval(dripping));
  const { status, headers: given, body } = await answer;
  expect(status).toBe(408);
  expect(given.connection).toBe("close");
  expect(body).toMatchObject({ detail: "The next line took longer than 0.4 s.", accepted: 1 });
  await once(sending, "close");
});

test("a slow sender whose lines come in time is not hurried", async () => {
  const { origin } = await openGateway({ limits: { bodyWithinMs: 1_500 } });
  const { sending, answer } = await upload(await origin());
  const began = performance.now();
  for (let id = 1; performance.now() - began < 3_000; id++) {
    sending.write(line(id));
    await waitFor(async () => (await storedCount()) === id);
  }
  sending.end();
  expect((await answer).status).toBe(202);
});

test("blank lines keep an upload open while there is no event to send", async () => {
  const { origin } = await openGateway({ limits: { bodyWithinMs: 300 } });
  const { sending, answer } = await upload(await origin());
  sending.write(line(1));
  const began = performance.now();
  const beating = setInterval(() => sending.write("\n"), 50);
  onTestFinished(() => clearInterval(beating));
  await waitFor(() => performance.now() - began > 1_000);
  clearInterval(beating);
  sending.end(line(2));
  expect(await answer).toMatchObject({ status: 202, body: { accepted: 2 } });
});

test("but not for ever: an event has to come from time to time", async () => {
  const limits = { bodyWithinMs: 300, eventWithinMs: 600, lingerMs: 200 };
  const { origin } = await openGateway({ limits });
  const { sending, answer } = await upload(await origin());
  sending.write(line(1));
  const beating = setInterval(() => sending.write("\n"), 50);
  onTestFinished(() => clearInterval(beating));
  const { status, body } = await answer;
  expect(status).toBe(408);
  expect(body).toMatchObject({ detail: "Only blank lines came for 0.01 minutes.", accepted: 1 });
});

test("thousands of blank lines one after the other are refused; as many between events are not", async () => {
  const { origin } = await openGateway();
  const url = await origin();
  for (const [id, blank] of [
    [1, "\n"],
    [2, " \r\n"],
  ] as const) {
    const refused = await post(url, line(id) + blank.repeat(100_000) + line(3));
    expect(refused).toMatchObject({ status: 400, body: { accepted: 1 } });
    expect(refused.body.detail).toBe("The body has more than 1000 blank lines one after the other.");
  }
  const many = Array.from({ length: 20 }, (_, i) => line(i + 10) + "\n".repeat(900)).join("");
  expect(await post(url, many)).toMatchObject({ status: 202, body: { accepted: 20 } });
});

test("an upload ends soon after its key was revoked: what was taken stays, the rest is not taken", async () => {
  const { origin } = await openGateway();
  const revoked = await keyFor(db, "leaving");
  const { sending, answer } = await upload(await origin(), `Bearer ${revoked}`);
  let id = 1;
  sending.write(line(id++));
  await waitFor(async () => (await storedCount()) === 1);
  await revokeKey(db, prefixOf(revoked));
  const began = performance.now();
  const sendingOn = setInterval(() => sending.write(line(id++)), 100);
  onTestFinished(() => clearInterval(sendingOn));
  const { status, body } = await answer;
  clearInterval(sendingOn);
  expect(performance.now() - began).toBeLessThan(30_000);
  expect(status).toBe(403);
  expect(body.detail).toBe("This API key was revoked.");
  expect(body.accepted).toBe(await storedCount());
  expect(body.accepted).toBeGreaterThan(1);
});

test("does not read faster than the broker takes", async () => {
  // Answers nothing until it is told to.
  const { origin, nc } = await openGateway({ mostInFlight: 10, timeoutMs: 30_000 });
  await jsm.streams.delete("CASINO_RAW");
  const held: Msg[] = [];
  const eventsHeld = () => held.reduce((sum, message) => sum + message.string().split("\n").length, 0);
  const broker = await openGateway();
  await jsm.streams.delete("CASINO_RAW");
  broker.nc.subscribe("casino.event.raw.*", { callback: (_err, msg) => void held.push(msg) });
  await broker.nc.flush();
  await nc.flush();

  const { sending, answer } = await upload(await origin());
  const chunk = Array.from({ length: 1_000 }, (_, i) => line(i + 1)).join("");
  let accepted = 0;
  // The sockets' buffers take some megabytes; far less than is offered.
  while (accepted < 500 && sending.write(chunk)) accepted++;
  for (; accepted < 500; accepted++) {
    sending.write(chunk);
    if (sending.writableLength > 8 * 2 ** 20) break;
  }
  await waitFor(() => eventsHeld() === 10);
  expect(sending.writableLength).toBeGreaterThan(2 ** 20);
  let [seq, most] = [0, 0];
  const answering = setInterval(() => {
    most = Math.max(most, eventsHeld());
    for (const message of held.splice(0)) message.respond(JSON.stringify({ stream: "s", seq: ++seq }));
  }, 1);
  onTestFinished(() => clearInterval(answering));
  await waitFor(() => seq > 100);
  expect(most).toBe(10);
  sending.destroy();
  answer.catch(() => undefined);
});

test("at a stop an upload without end is answered with what was taken", async () => {
  const { origin, stop } = await openGateway();
  const { sending, answer } = await upload(await origin());
  sending.write(line(1));
  await waitFor(async () => (await storedCount()) === 1);
  stop.abort();
  const { status, headers: given, body } = await answer;
  expect(status).toBe(503);
  expect(given["retry-after"]).toBe("2");
  expect(body).toMatchObject({ accepted: 1, rejected: [] });
  expect(body.detail).toMatch(/^The gateway is stopping/);
});
