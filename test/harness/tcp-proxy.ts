import { createServer, connect as dial, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** What a proxy does with bytes at the moment. */
type Weather = "fair" | "slow" | "stalled" | "cut";

/** Most bytes held back per direction of a connection before the sender is made to wait. */
const mostHeldBack = 2 ** 20;

/**
 * A TCP proxy on 127.0.0.1 whose line can be made bad: cut, stalled or slow. What is sent through a bad line arrives
 * late or not at all, but never out of order and never changed, unless a test edits it. One for each pair of client and server, so that one
 * client's line can be bad while the others' are fine.
 */
export class TcpProxy implements AsyncDisposable {
  readonly port: number;
  readonly #target: number;
  readonly #edit: (answer: Buffer) => Buffer;
  readonly #connections = new Set<readonly [Socket, Socket]>();
  #server: Server | undefined;
  #weather: Weather = "fair";
  #latencyMs = 0;
  #changed = Promise.withResolvers<void>();

  private constructor(port: number, target: number, edit: (answer: Buffer) => Buffer) {
    this.port = port;
    this.#target = target;
    this.#edit = edit;
  }

  /**
   * Listens on `port` and connects to `target`, both of 127.0.0.1. Rejects when the port is taken.
   * @param edit what the client gets of each piece that the target sends; default: all of it
   */
  static async open(
    port: number,
    target: number,
    edit = (answer: Buffer): Buffer => answer,
  ): Promise<TcpProxy> {
    const proxy = new TcpProxy(port, target, edit);
    await proxy.#listen();
    return proxy;
  }

  /** Resets every connection and refuses new ones. */
  cut(): void {
    this.#become("cut");
    this.#server?.close();
    this.#server = undefined;
    this.reset();
  }

  /** Resets every connection; new ones are welcome. */
  reset(): void {
    for (const ends of this.#connections) for (const end of ends) end.resetAndDestroy();
  }

  /** From now on nothing passes, in either direction, and nobody is told: a network that swallows packets. */
  stall(): void {
    this.#become("stalled");
  }

  /** From now on each piece takes that much longer, in each direction. */
  delay(latencyMs: number): void {
    this.#latencyMs = latencyMs;
    this.#become("slow");
  }

  /** All is well again; what a stall held back is delivered. */
  async restore(): Promise<void> {
    this.#become("fair");
    if (this.#server === undefined) await this.#listen();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
  }

  #become(weather: Weather): void {
    this.#weather = weather;
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers();
    resolve();
  }

  #listen(): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, (client) => this.#join(client));
    this.#server = server;
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen({ port: this.port, host: "127.0.0.1", exclusive: true }, () => resolve());
    });
  }

  #join(client: Socket): void {
    const server = dial({ port: this.#target, host: "127.0.0.1", allowHalfOpen: true });
    const ends = [client, server] as const;
    this.#connections.add(ends);
    for (const [from, to] of [ends, [server, client] as const]) {
      from.setNoDelay(true);
      from.on("error", () => undefined);
      from.once("close", () => {
        this.#connections.delete(ends);
        // An orderly end is passed on after what came before it; a reset at once.
        if (from.errored) to.resetAndDestroy();
      });
      this.#pump(from, to, to === client ? this.#edit : (bytes) => bytes);
    }
  }

  #pump(from: Socket, to: Socket, edit: (bytes: Buffer) => Buffer): void {
    const held: { readonly bytes: Buffer; readonly due: number }[] = [];
    let heldBytes = 0;
    let draining = false;
    const drain = async (): Promise<void> => {
      draining = true;
      for (let next = held[0]; next !== undefined && !to.destroyed; next = held[0]) {
        while (this.#weather === "stalled" && !to.destroyed) await this.#changed.promise;
        const early = next.due - performance.now();
        if (early > 0) await sleep(early);
        held.shift();
        heldBytes -= next.bytes.length;
        if (!to.write(next.bytes)) await drained(to);
        if (heldBytes < mostHeldBack) from.resume();
      }
      draining = false;
      if (from.readableEnded) to.end();
    };
    from.on("data", (received: Buffer) => {
      const bytes = edit(received);
      const late = this.#weather === "slow" ? this.#latencyMs : 0;
      held.push({ bytes, due: late === 0 ? 0 : performance.now() + late });
      heldBytes += bytes.length;
      if (heldBytes >= mostHeldBack) from.pause();
      if (!draining) void drain();
    });
    from.once("end", () => {
      if (!draining) to.end();
    });
  }
}

/** Resolves when the socket takes more, or never will. */
function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off("drain", done);
      socket.off("close", done);
      resolve();
    };
    socket.once("drain", done);
    socket.once("close", done);
  });
}
