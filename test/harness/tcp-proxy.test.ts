import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeEach, expect, onTestFinished, test } from "vitest";
import { freePort } from "../../internal/local/free-port.ts";
import { TcpProxy } from "./tcp-proxy.ts";
import { waitFor } from "./wait-for.ts";

/** Sends back whatever comes. */
const echo = createServer((socket) => {
  socket.on("error", () => undefined);
  socket.pipe(socket);
});
await new Promise<void>((resolve) => echo.listen(0, "127.0.0.1", resolve));
const { port } = echo.address() as AddressInfo; // an address, as it listens on a port
afterAll(() => echo.close());

let proxy: TcpProxy;
beforeEach(async () => {
  proxy = await TcpProxy.open(await freePort(), port);
  return () => proxy[Symbol.asyncDispose]();
});

interface Caller {
  readonly socket: Socket;
  readonly heard: () => string;
}

async function call(): Promise<Caller> {
  const socket = connect(proxy.port, "127.0.0.1");
  onTestFinished(() => {
    socket.destroy();
  });
  let heard = "";
  socket.setEncoding("latin1").on("data", (text) => {
    heard += text;
  });
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return { socket, heard: () => heard };
}

/** Whether it was closed by an error. */
const closing = (socket: Socket) =>
  new Promise<boolean>((resolve) => socket.once("close", (hadError) => resolve(hadError)));

test("passes everything on, in order, and the end of it", async () => {
  const { socket, heard } = await call();
  const sent = Array.from({ length: 50_000 }, (_, line) => `line ${line}\n`).join("");
  socket.end(sent);
  await closing(socket);
  expect(heard() === sent).toBe(true);
});

test("a stalled line delivers nothing until it is restored, and then all of it", async () => {
  const { socket, heard } = await call();
  socket.write("before");
  await waitFor(() => heard() === "before");
  proxy.stall();
  socket.write(" after");
  const late = await call();
  late.socket.write("new");
  await sleep(100);
  expect([heard(), late.heard()]).toEqual(["before", ""]);
  await proxy.restore();
  await waitFor(() => heard() === "before after" && late.heard() === "new");
});

test("a slow line takes its time in each direction, and keeps the order", async () => {
  const { socket, heard } = await call();
  proxy.delay(50);
  const started = performance.now();
  for (const digit of "0123456789") {
    socket.write(digit);
    await sleep(1);
  }
  await waitFor(() => heard() === "0123456789");
  expect(performance.now() - started).toBeGreaterThanOrEqual(100);
});

test("a cut line resets who is connected and refuses who comes, until it is restored", async () => {
  const { socket } = await call();
  const closed = closing(socket);
  proxy.cut();
  expect(await closed).toBe(true);
  await expect(once(connect(proxy.port, "127.0.0.1"), "connect")).rejects.toThrow("ECONNREFUSED");
  await proxy.restore();
  const again = await call();
  again.socket.write("back");
  await waitFor(() => again.heard() === "back");
});

test("where nobody listens behind it, the caller is cut off", async () => {
  const nowhere = await TcpProxy.open(await freePort(), await freePort());
  onTestFinished(() => nowhere[Symbol.asyncDispose]());
  const socket = connect(nowhere.port, "127.0.0.1");
  socket.on("error", () => undefined);
  await closing(socket);
});
