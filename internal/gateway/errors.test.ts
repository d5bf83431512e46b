import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { waitFor } from "../../test/harness/wait-for.ts";
import { newApiKey } from "../clients/api-key.ts";
import { gatewaysOfFile } from "./gateway.fixture.ts";

const { key, openGateway } = await gatewaysOfFile("raw");

/** A connection on which the test writes bytes. */
async function socketTo(
  origin: string,
): Promise<{ socket: Socket; received: () => string; closed: () => boolean }> {
  const socket = connect(Number(new URL(origin).port), "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  let [text, closed] = ["", false];
  socket.on("data", (chunk) => {
    text += chunk;
  });
  socket.on("error", () => undefined);
  socket.on("close", () => {
    closed = true;
  });
  await once(socket, "connect");
  return { socket, received: () => text, closed: () => closed };
}

/** Status and problem document of a raw response. */
function problemIn(response: string): { status: number; problem: Record<string, unknown> } {
  const [head = "", body = ""] = response.split("\r\n\r\n");
  expect(head).toMatch(/^content-type: application\/problem\+json$/im);
  return { status: Number(head.split(" ")[1]), problem: JSON.parse(body) };
}

test.each([
  ["GET", "/nothing", 404, "There is nothing at this path: /docs shows what there is."],
  ["POST", "/", 405, "This path has no POST, but GET, HEAD."],
  ["DELETE", "/events", 405, "This path has no DELETE, but GET, HEAD, POST."],
  ["PUT", "/materialized/", 405, "This path has no PUT, but GET, HEAD."],
  ["PUT", "/dead-letters/replay", 405, "This path has no PUT, but POST."],
  ["PUT", "/dead-letters/1", 405, "This path has no PUT, but GET, HEAD, DELETE."],
  ["GET", "/events/1", 404, "There is nothing at this path: /docs shows what there is."],
  ["GET", "/%zz", 400, "The path is not properly percent-encoded."],
  [
    "GET",
    "/docs/static/..%2f..%2fpackage.json",
    404,
    "There is nothing at this path: /docs shows what there is.",
  ],
] as const)("%s %s is a problem", async (method, url, status, detail) => {
  const { app } = await openGateway();
  const response = await app.inject({ method, url });
  expect(response.headers["content-type"]).toBe("application/problem+json");
  expect(response.json()).toMatchObject({ type: "about:blank", status, detail });
  expect(response.statusCode).toBe(status);
  if (status === 405) expect(detail).toContain(` but ${response.headers.allow}.`);
});

test("an unexpected error shows nothing of itself, and is logged", async () => {
  const logged: unknown[] = [];
  const { app } = await openGateway({
    findEvents: () => Promise.reject(new Error("select secret from api_keys")),
    log: { error: (what: unknown) => logged.push(what) } as never,
  });
  const response = await app.inject({ url: "/events", headers: { authorization: `Bearer ${key}` } });
  expect(response.json()).toEqual({
    type: "about:blank",
    title: "Internal Server Error",
    status: 500,
    detail: "The service failed on this request.",
  });
  expect(logged).toMatchObject([{ err: { message: "select secret from api_keys" }, route: "/events" }]);
});

test.each([
  ["no HTTP", "HELLO\r\n\r\n", 400],
  ["a request without a Host", "GET /healthz HTTP/1.1\r\n\r\n", 400],
  ["a method that nobody knows", "BREW /events HTTP/1.1\r\nHost: x\r\n\r\n", 501],
  ["headers that are too large", `GET / HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(20_000)}\r\n\r\n`, 431],
  [
    "a body in broken chunks",
    `POST /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/x-ndjson\r\n` +
      "Transfer-Encoding: chunked\r\n\r\nnonsense\r\n",
    400,
  ],
])("%s is answered with a problem, and the connection ends", async (_what, bytes, status) => {
  const { origin } = await openGateway();
  const { socket, received, closed } = await socketTo(await origin());
  socket.write(bytes);
  await waitFor(closed);
  expect(problemIn(received())).toMatchObject({ status, problem: { status, type: "about:blank" } });
});

test("headers that drip are answered with 408, and the connection ends", async () => {
  const { origin } = await openGateway({ limits: { headersWithinMs: 300 } });
  const { socket, received, closed } = await socketTo(await origin());
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n");
  const dripping = setInterval(() => socket.write("X: x\r\n"), 50);
  onTestFinished(() => clearInterval(dripping));
  await waitFor(closed);
  expect(problemIn(received())).toMatchObject({
    status: 408,
    problem: { detail: "The headers took too long." },
  });
});

const postHead = (contentType: string, length: number, path = "/events") =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\nContent-Type: ${contentType}\r\n` +
  `Content-Length: ${length}\r\n\r\n`;

test.each([
  ["application/json", "/events"],
  ["application/x-protobuf", "/events"],
  ["application/json", "/dead-letters/1/replay"],
])("a body of %s for %s that drips is answered with 408", async (type, path) => {
  const { origin } = await openGateway({ limits: { bodyWithinMs: 300, lingerMs: 300 } });
  const { socket, received, closed } = await socketTo(await origin());
  socket.write(postHead(type, 1_000, path));
  const dripping = setInterval(() => socket.write(" "), 20);
  onTestFinished(() => clearInterval(dripping));
  await waitFor(closed);
  expect(problemIn(received())).toMatchObject({
    status: 408,
    problem: { detail: "The body took longer than 0.3 s." },
  });
});

test("who is answered early may finish sending and use the connection again, but not for ever", async () => {
  const { origin } = await openGateway({ limits: { lingerMs: 500 } });
  const url = await origin();
  const first = await socketTo(url);
  first.socket.write(postHead("text/plain", 10));
  await waitFor(() => first.received().includes("415 Unsupported Media Type"));
  first.socket.write(`0123456789${postHead("text/plain", 1)}x`);
  await waitFor(() => first.received().split("415 Unsupported Media Type").length === 3);

  const second = await socketTo(url);
  second.socket.write(postHead("text/plain", 1_000_000));
  const sending = setInterval(() => second.socket.write("x"), 20);
  onTestFinished(() => clearInterval(sending));
  await waitFor(() => second.received().includes("415 Unsupported Media Type"));
  await waitFor(second.closed);
});

test("a connection that says nothing is closed", async () => {
  const { origin } = await openGateway({ limits: { silentMs: 200, headersWithinMs: 200 } });
  const { closed } = await socketTo(await origin());
  await waitFor(closed);
});

test("whoever goes away in the middle of a body does no harm", async () => {
  const { origin } = await openGateway();
  const url = await origin();
  for (const type of ["application/json", "application/x-ndjson", "application/x-protobuf"]) {
    const { socket } = await socketTo(url);
    socket.write(`${postHead(type, 1_000)}{"id":`);
    await waitFor(() => socket.bytesWritten > 100);
    socket.destroy();
  }
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
});

test("a connection on which too many requests wait for answers ends; one with fewer has them all", async () => {
  const { origin } = await openGateway();
  const url = await origin();
  const request = `GET /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${newApiKey()}\r\n\r\n`;
  const patient = await socketTo(url);
  patient.socket.write(request.repeat(100));
  await waitFor(() => patient.received().split("401 Unauthorized").length === 101);
  const { socket, closed } = await socketTo(url);
  socket.write(request.repeat(300));
  await waitFor(closed);
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
});

test("requests of a connection that was cut do not hold up a stop", async () => {
  const { origin, app } = await openGateway();
  const { socket } = await socketTo(await origin());
  let begun = 0;
  app.server.on("request", () => begun++);
  socket.write(`GET /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${newApiKey()}\r\n\r\n`.repeat(50));
  await waitFor(() => begun === 50);
  socket.destroy();
  const began = performance.now();
  await app.close();
  expect(performance.now() - began).toBeLessThan(4_000);
});
