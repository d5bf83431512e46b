import { once } from "node:events";
import { request } from "node:http";
import { text } from "node:stream/consumers";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { connectForTest } from "../../test/harness/broker.ts";
import { natsForTest } from "../../test/harness/infrastructure.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { databaseOfFile, deposit, emptyRaw, gatewayForTest, keyFor } from "./gateway.fixture.ts";

const server = await natsForTest();
const { jsm } = await connectForTest(server);
const db = await databaseOfFile();
const key = await keyFor(db, "stream");

beforeEach(() => emptyRaw(jsm));

const headers = { authorization: `Bearer ${key}`, "content-type": "application/x-ndjson" };
const storedCount = async () => (await jsm.streams.info("CASINO_RAW")).state.messages;
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
async function upload(origin: string) {
  const sending = request(`${origin}/events`, { method: "POST", headers });
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
  const { origin } = await gatewayForTest(server, db);
  const body = `\ufeff${line(1)}\r\n  \n{"id":2}\n${line(1)}nonsense\n[]\n${line(3).trim()}`;
  const answer = await post(await origin(), body);
  expect(answer.status).toBe(207);
  expect(answer.body).toEqual({
    accepted: 2,
    duplicates: 1,
    rejected: [
      { index: 3, errors: expect.arrayContaining([{ path: "/type", message: expect.any(String) }]) },
      { index: 5, errors: [{ path: "", message: "must be JSON in UTF-8" }] },
      { index: 6, errors: [{ path: "", message: "must be object" }] },
    ],
  });
  expect(await storedCount()).toBe(2);
});

test("without any event, or without a valid one, is a problem", async () => {
  const { origin } = await gatewayForTest(server, db);
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
  const { origin } = await gatewayForTest(server, db);
  const url = await origin();
  const total = 100_000;
  // Every fifth line is a duplicate of an earlier one, every twentieth is invalid.
  const kind = (n: number) => (n % 20 === 7 ? "invalid" : n % 5 === 3 ? "duplicate" : "new");
  // Dropped, but it has to be read.
  const padding = "x".repeat(2_000);
  const padded = (event: object) => `${JSON.stringify({ ...event, padding })}\n`;
  let most = 0;
  async function* lines(): AsyncGenerator<Uint8Array> {
    for (let n = 0; n < total; n += 500) {
      let lines = "";
      for (let i = n; i < n + 500; i++)
        lines +=
          kind(i) === "invalid"
            ? padded({ id: i, type: "deposit" })
            : padded(deposit(kind(i) === "duplicate" ? i - 3 + 1 : i + 1));
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
    accepted: count("new"),
    duplicates: count("duplicate"),
    rejected: 1_000,
    rejected_total: count("invalid"),
  });
  expect(body.rejected.slice(0, 3).map(({ index }: { index: number }) => index)).toEqual([7, 27, 47]);
  expect(await storedCount()).toBe(count("new"));
  expect(most - before).toBeLessThan(30 * 2 ** 20);
}, 120_000);

test("events are stored while the upload goes on, and stay when it is cut", async () => {
  const { origin } = await gatewayForTest(server, db);
  const { sending } = await upload(await origin());
  sending.write(line(1) + line(2));
  await waitFor(async () => (await storedCount()) === 2);
  sending.write(line(3).slice(0, -1));
  sending.destroy();
  const again = await post(await origin(), line(1) + line(2) + line(3));
  expect(again).toMatchObject({ status: 202, body: { accepted: 1, duplicates: 2 } });
});

test("a line that is too long is refused by itself, however long", async () => {
  const { origin } = await gatewayForTest(server, db);
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
  const { origin } = await gatewayForTest(server, db, { limits: { bodyWithinMs: 400, lingerMs: 200 } });
  const { sending, answer } = await upload(await origin());
  sending.write(line(1));
  const dripping = setInterval(() => sending.write(" \n "), 20);
  onTestFinished(() => clearInterval(dripping));
  const { status, headers: given, body } = await answer;
  expect(status).toBe(408);
  expect(given.connection).toBe("close");
  expect(body).toMatchObject({ detail: "The next line took longer than 0.4 s.", accepted: 1, duplicates: 0 });
  await once(sending, "close");
});

test("a slow sender whose lines come in time is not hurried", async () => {
  const { origin } = await gatewayForTest(server, db, { limits: { bodyWithinMs: 1_500 } });
  const { sending, answer } = await upload(await origin());
  const began = performance.now();
  for (let id = 1; performance.now() - began < 3_000; id++) {
    sending.write(line(id));
    await waitFor(async () => (await storedCount()) === id);
  }
  sending.end();
  expect((await answer).status).toBe(202);
});

test("does not read faster than the broker takes", async () => {
  // Answers nothing until it is told to.
  const { origin, nc } = await gatewayForTest(server, db, { outboxMessages: 10, timeoutMs: 30_000 });
  await jsm.streams.delete("CASINO_RAW");
  const held: { subject: string; respond: (data: string) => void }[] = [];
  const broker = await gatewayForTest(server, db);
  await jsm.streams.delete("CASINO_RAW");
  broker.nc.subscribe("casino.event.raw.*", { callback: (_err, msg) => void held.push(msg as never) });
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
  await waitFor(() => held.length === 10);
  expect(sending.writableLength).toBeGreaterThan(2 ** 20);
  let seq = 0;
  const answering = setInterval(() => {
    for (const message of held.splice(0)) message.respond(JSON.stringify({ stream: "s", seq: ++seq }));
    expect(held.length).toBeLessThanOrEqual(10);
  }, 1);
  onTestFinished(() => clearInterval(answering));
  await waitFor(() => seq > 1_000);
  sending.destroy();
  answer.catch(() => undefined);
});

test("at a stop an upload without end is answered with what was taken", async () => {
  const { origin, stop } = await gatewayForTest(server, db);
  const { sending, answer } = await upload(await origin());
  sending.write(line(1));
  await waitFor(async () => (await storedCount()) === 1);
  stop.abort();
  const { status, headers: given, body } = await answer;
  expect(status).toBe(503);
  expect(given["retry-after"]).toBe("2");
  expect(body).toMatchObject({ accepted: 1, duplicates: 0, rejected: [] });
  expect(body.detail).toMatch(/^The gateway is stopping/);
});
