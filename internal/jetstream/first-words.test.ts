import { createServer, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { natsForTest } from "../../test/harness/infrastructure.ts";
import { freePort } from "../local/free-port.ts";
import { hearNats } from "./first-words.ts";

const { signal } = new AbortController();

async function serverThat(answer: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => undefined));
    answer(socket);
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `127.0.0.1:${port}`;
}

test("a NATS server is heard", async () => {
  await hearNats(["127.0.0.1:1", new URL((await natsForTest()).url).host], signal);
});

test("what says nothing, something else, or is not there is none", async () => {
  const mute = await serverThat(() => undefined);
  await expect(hearNats([mute], signal)).rejects.toThrow("what answers there does not speak NATS");
  const other = await serverThat((socket) => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n"));
  await expect(hearNats([other], signal)).rejects.toThrow("another kind of server answers there");
  await expect(hearNats([`127.0.0.1:${await freePort()}`], signal)).rejects.toThrow("ECONNREFUSED");
});

test("an abort ends it at once, with its reason", async () => {
  const mute = await serverThat(() => undefined);
  const stop = new AbortController();
  const heard = hearNats([mute], stop.signal);
  stop.abort(new Error("asked to stop"));
  await expect(heard).rejects.toThrow("asked to stop");
});
