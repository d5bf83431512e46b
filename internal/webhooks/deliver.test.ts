import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer, type LookupFunction } from "node:net";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { describe, expect, onTestFinished, test } from "vitest";
import { waitFor } from "../../test/harness/wait-for.ts";
import { networks } from "../service/config-values.ts";
import { AddressGuard } from "./address-guard.ts";
import { delivererForTest, receiverForTest } from "./receiver.fixture.ts";
import { newSecret } from "./sign.ts";

const { signal } = new AbortController();
const message = { id: "evt_1", body: '{"type":"bet","data":{"name":"é"}}' };
const secret = newSecret();
const to = (url: string, more: object = {}) => ({ url, headers: {}, secrets: [secret], ...more });
const here = networks("127.0.0.0/8");

describe("a call", () => {
  test("is verified by the official library, and has the client's own headers", async () => {
    const receiver = await receiverForTest();
    const attempt = await delivererForTest().deliver(
      to(receiver.url, { headers: { authorization: "Bearer x" } }),
      message,
      signal,
    );
    expect(attempt).toEqual({
      ok: true,
      gone: false,
      status: 204,
      answer: "",
      durationMs: expect.any(Number),
      at: expect.any(Date),
    });
    const [call] = receiver.received;
    expect(new Webhook(secret).verify(call?.body ?? "", call?.headers ?? {})).toEqual(
      JSON.parse(message.body),
    );
    expect(call?.headers).toMatchObject({
      authorization: "Bearer x",
      "content-type": "application/json",
      "webhook-id": "evt_1",
      "user-agent": expect.stringMatching(/^Croupier\//),
    });
    expect(() => new Webhook(newSecret()).verify(call?.body ?? "", call?.headers ?? {})).toThrow();
  });

  test("is verified with either secret in the middle of a rotation", async () => {
    const receiver = await receiverForTest();
    const secrets = [newSecret(), secret];
    await delivererForTest().deliver(to(receiver.url, { secrets }), message, signal);
    const [call] = receiver.received;
    for (const one of secrets)
      expect(new Webhook(one).verify(call?.body ?? "", call?.headers ?? {})).toEqual(
        JSON.parse(message.body),
      );
  });

  test("goes on a connection of the ones before", async () => {
    const ports = new Set<number | undefined>();
    const receiver = await receiverForTest((response, { socket }) => {
      ports.add(socket.remotePort);
      response.end("taken");
    });
    const deliverer = delivererForTest();
    for (let i = 0; i < 5; i++) await deliverer.deliver(to(receiver.url), message, signal);
    // Or the one before that, because the next call may start before the connection is free.
    expect(ports.size).toBeLessThanOrEqual(2);
  });

  test("ends with the reason of whoever aborts it", async () => {
    const receiver = await receiverForTest(() => undefined);
    const stop = new AbortController();
    const call = delivererForTest().deliver(to(receiver.url), message, stop.signal);
    await waitFor(() => receiver.received.length === 1);
    stop.abort(new Error("stopped"));
    await expect(call).rejects.toThrow("stopped");
    await expect(delivererForTest().deliver(to(receiver.url), message, stop.signal)).rejects.toThrow(
      "stopped",
    );
  });
});

describe("an answer", () => {
  test.each([
    [200, {}, { ok: true, gone: false }],
    [299, {}, { ok: true }],
    [302, { location: "http://169.254.169.254/" }, { ok: false, error: /302: redirects are not followed/ }],
    [307, { location: "/elsewhere" }, { ok: false }],
    [400, {}, { ok: false, gone: false, error: /It answered 400/ }],
    [410, {}, { ok: false, gone: true }],
    [429, { "retry-after": "120" }, { ok: false, retryAfterMs: 120_000 }],
    [503, { "retry-after": "Wed, 21 Oct 2015 07:28:00 GMT" }, { ok: false, retryAfterMs: 0 }],
    [503, { "retry-after": "soon" }, { ok: false, retryAfterMs: undefined }],
  ])("of %i %o is %o", async (status, headers, expected) => {
    const receiver = await receiverForTest((response) => {
      response.writeHead(status, headers).end("because");
    });
    const { error, ...attempt } = await delivererForTest().deliver(to(receiver.url), message, signal);
    const { error: sentence, ...rest } = { error: undefined, ...expected };
    expect(attempt).toMatchObject({ ...rest, status, answer: "because" });
    if (sentence !== undefined) expect(error).toMatch(sentence);
    expect(receiver.received).toHaveLength(1);
  });

  test("without end is cut, and kept to its first KiB", async () => {
    let closed = false;
    const receiver = await receiverForTest((response) => {
      response.writeHead(200);
      const more = (): void => {
        if (!response.destroyed) response.write("é\0".repeat(10_000), () => setImmediate(more));
      };
      response.once("close", () => {
        closed = true;
      });
      more();
    });
    const attempt = await delivererForTest().deliver(to(receiver.url), message, signal);
    expect(attempt.ok).toBe(true);
    expect(attempt.answer).toMatch(/^é{300,}$/);
    expect(Buffer.byteLength(attempt.answer)).toBeLessThanOrEqual(1_024);
    await waitFor(() => closed);
  });

  test("that goes on byte by byte counts by its status", async () => {
    const receiver = await receiverForTest((response) => {
      response.writeHead(500);
      const dripping = setInterval(() => response.write("."), 5);
      response.once("close", () => clearInterval(dripping));
    });
    const attempt = await delivererForTest({ answerWithinMs: 50 }).deliver(to(receiver.url), message, signal);
    expect(attempt).toMatchObject({ ok: false, status: 500, answer: expect.stringMatching(/^\.+$/) });
  });

  test("that is cut behind its status counts by it", async () => {
    const receiver = await receiverForTest((response) => {
      response.writeHead(200, { "content-length": 100 });
      response.write("half", () => response.destroy());
    });
    const attempt = await delivererForTest().deliver(to(receiver.url), message, signal);
    expect(attempt).toMatchObject({ ok: true, answer: "half" });
  });

  test.each([
    ["that never comes", 200, "", /^There was no answer within 0\.2 s\.$/],
    ["whose headers never end", 200, "HTTP/1.1 200 OK\r\nx: ", /^There was no answer within 0\.2 s\.$/],
    ["that is none", 60_000, "hello\r\n\r\n", /^Its answer is not HTTP\.$/],
    [
      "with too many headers",
      60_000,
      `HTTP/1.1 200 OK\r\nx: ${"x".repeat(40_000)}\r\n\r\n`,
      /^The headers of its answer are too long\.$/,
    ],
  ])("%s is a failure", async (_what, timeoutMs, bytes, error) => {
    const port = await tcp((socket) => socket.write(bytes));
    const deliverer = delivererForTest({ timeoutMs });
    const attempt = await deliverer.deliver(to(`http://127.0.0.1:${port}`), message, signal);
    expect(attempt).toMatchObject({
      ok: false,
      gone: false,
      error: expect.stringMatching(error),
    });
  });

  test("is a failure where the connection is closed before it", async () => {
    const port = await tcp((socket) => socket.destroy());
    const attempt = await delivererForTest().deliver(to(`http://127.0.0.1:${port}`), message, signal);
    expect(attempt).toMatchObject({ ok: false, error: "It closed the connection before its answer." });
  });
});

/** A server that does this with each connection once it has received something. */
async function tcp(answer: (socket: import("node:net").Socket) => void): Promise<number> {
  const server = createTcpServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => answer(socket));
    onTestFinished(() => void socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port; // it listens on a port
}

describe("an address", () => {
  test("of this machine is not called by itself, nor without encryption", async () => {
    const receiver = await receiverForTest();
    const deliverer = delivererForTest({ guard: new AddressGuard() });
    for (const host of ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"])
      for (const scheme of ["http", "https"]) {
        const attempt = await deliverer.deliver(to(`${scheme}://${host}:${receiver.port}/`), message, signal);
        expect(attempt.error, host).toMatch(/not on the public internet/);
      }
    expect(receiver.received).toEqual([]);
  });

  test("is looked at each time a connection is made: a name that leads elsewhere since is refused", async () => {
    let looked = 0;
    const lookup: LookupFunction = (_name, _options, done) => {
      looked++;
      done(null, [{ address: looked === 1 ? "127.0.0.1" : "127.0.0.2", family: 4 }]);
    };
    const receiver = await receiverForTest((response) =>
      response.writeHead(200, { connection: "close" }).end(),
    );
    const guard = new AddressGuard(networks("127.0.0.1/32"), lookup);
    const deliverer = delivererForTest({ guard });
    const url = `http://receiver.example:${receiver.port}/`;
    expect(await deliverer.deliver(to(url), message, signal)).toMatchObject({ ok: true });
    expect(await deliverer.deliver(to(url), message, signal)).toMatchObject({
      ok: false,
      error: expect.stringMatching(/^Its address is not on the public internet \(loopback\)/),
    });
    expect(receiver.received).toHaveLength(1);
  });

  test("that takes no connections, and a name that has none, are failures", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo; // it listens on a port
    await new Promise((resolve) => server.close(resolve));
    const deliverer = delivererForTest();
    expect((await deliverer.deliver(to(`http://127.0.0.1:${port}`), message, signal)).error).toBe(
      "It refuses connections (ECONNREFUSED).",
    );
    expect((await deliverer.deliver(to("https://no-such-host.invalid"), message, signal)).error).toMatch(
      /^Its host name cannot be resolved \(E/,
    );
  });
});

describe("TLS", () => {
  const folder = join(import.meta.dirname, "../../test/harness/tls");
  const read = (file: string) => readFileSync(join(folder, file), "utf8");
  const tls = { key: read("server.key"), cert: read("server.crt") };

  test("is verified, by the certificate authorities that are known", async () => {
    const receiver = await receiverForTest(undefined, tls);
    expect(
      await delivererForTest({ ca: read("ca.crt") }).deliver(to(receiver.url), message, signal),
    ).toMatchObject({ ok: true });
    expect((await delivererForTest().deliver(to(receiver.url), message, signal)).error).toMatch(
      /^Its TLS certificate or handshake is not valid: .*\([A-Z_]+\)\.$/,
    );
    const lookup: LookupFunction = (_name, _options, done) =>
      done(null, [{ address: "127.0.0.1", family: 4 }]);
    const guard = new AddressGuard(here, lookup);
    const wrongName = await delivererForTest({ ca: read("ca.crt"), guard }).deliver(
      to(`https://other.example:${receiver.port}`),
      message,
      signal,
    );
    expect(wrongName.error).toMatch(/^Its TLS certificate .*ERR_TLS_CERT_ALTNAME_INVALID/);
    expect(receiver.received).toHaveLength(1);
  });

  test("that is none is said so", async () => {
    const receiver = await receiverForTest();
    const url = receiver.url.replace("http:", "https:");
    expect((await delivererForTest().deliver(to(url), message, signal)).error).toMatch(/^Its TLS /);
  });
});

test("a proxy is asked for the connection, and not for one to an address that is refused", async () => {
  const asked: string[] = [];
  const proxy = createServer();
  proxy.on("connect", (request, socket) => {
    asked.push(request.url ?? "");
    const upstream = connect(receiver.port, "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      upstream.pipe(socket).pipe(upstream);
    });
    for (const one of [upstream, socket]) one.on("error", () => undefined);
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void proxy.close());
  const receiver = await receiverForTest();
  const lookup: LookupFunction = (name, _options, done) =>
    done(null, [{ address: name === "inside.example" ? "10.0.0.1" : "127.0.0.1", family: 4 }]);
  const deliverer = delivererForTest({
    proxy: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, // it listens on a port
    guard: new AddressGuard(here, lookup),
  });
  expect(await deliverer.deliver(to("http://receiver.example/hook"), message, signal)).toMatchObject({
    ok: true,
  });
  for (const url of ["https://inside.example/", "https://10.0.0.1/"])
    expect((await deliverer.deliver(to(url), message, signal)).error).toMatch(/not on the public internet/);
  expect(asked).toEqual(["receiver.example:80"]);
  expect(receiver.received).toHaveLength(1);
});
