import { mkdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { type Binary, findRedisServer } from "./binaries.ts";
import { launch, type RunningServer, type ServerOptions } from "./server.ts";

interface RedisOptions extends ServerOptions {
  /** Default: what `findRedisServer()` finds. */
  readonly binary?: Binary | undefined;
  /** The number of databases; Redis' default is 16. */
  readonly databases?: number | undefined;
}

/**
 * Starts a Redis on 127.0.0.1 that keeps everything in memory, and resolves once it answers PING. Throws if there is no
 * binary or the server does not start.
 */
export async function startRedis(options: RedisOptions): Promise<RunningServer> {
  const binary = options.binary ?? (await findRedisServer());
  mkdirSync(options.dir, { recursive: true });
  return launch(options, (port) => ({
    name: "redis-server",
    binary,
    args: [
      ...["--bind", "127.0.0.1", "--port", String(port), "--dir", options.dir],
      ...["--save", "", "--appendonly", "no", "--databases", String(options.databases ?? 16)],
    ],
    url: `redis://127.0.0.1:${port}`,
    logFile: join(options.dir, "redis-server.log"),
    stopSignal: "SIGTERM",
    ready: () => answers(port),
  }));
}

function answers(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", timeout: 2_000 });
    const fail = (error: Error) => {
      socket.destroy();
      reject(error);
    };
    socket.once("error", fail);
    socket.once("timeout", () => fail(new Error("no answer to PING")));
    socket.once("close", () => reject(new Error("closed before PONG")));
    socket.once("data", (answer) => {
      socket.destroy();
      if (answer.toString().startsWith("+PONG")) resolve();
      else reject(new Error(answer.toString().trim()));
    });
    socket.write("PING\r\n");
  });
}
