import { createConnection, type Socket } from "node:net";

/**
 * A kept-alive HTTP/1.1 connection with one request in flight. It reads as little of an answer as possible, because the load
 * shares the cores with the measured system, and Node's own client costs as much as a server.
 */
export class HttpConnection {
  readonly #socket: Socket;
  #received = "";
  #waiting: { resolve: (status: number) => void; reject: (err: Error) => void } | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    // Headers are ASCII, and only the body's length in bytes matters.
    socket.setEncoding("latin1");
    socket.on("data", (chunk: string) => this.#onData(chunk));
    socket.on("error", (err) => this.#waiting?.reject(err));
    socket.on("close", () => this.#waiting?.reject(new Error("the server closed the connection")));
  }

  static async open(url: string): Promise<HttpConnection> {
    const { hostname, port } = new URL(url);
    const socket = createConnection({ host: hostname, port: Number(port) });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return new HttpConnection(socket);
  }

  /** @returns the answer's status */
  post(head: string, body: string): Promise<number> {
    const { promise, ...waiting } = Promise.withResolvers<number>();
    this.#waiting = waiting;
    this.#socket.write(`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
    return promise;
  }

  close(): void {
    this.#waiting = undefined;
    this.#socket.destroy();
  }

  #onData(chunk: string): void {
    this.#received += chunk;
    const end = this.#received.indexOf("\r\n\r\n");
    if (end < 0) return;
    const head = this.#received.slice(0, end);
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1]);
    if (Number.isNaN(length)) {
      this.#waiting?.reject(new Error("an answer without content-length, which this load does not read"));
      return;
    }
    if (this.#received.length < end + 4 + length) return;
    this.#received = this.#received.slice(end + 4 + length);
    // HTTP/1.1 202 Accepted
    this.#waiting?.resolve(Number(head.slice(9, 12)));
  }
}

/** The request's head up to `content-length`. */
export function requestHead(url: string, type: string, key: string): string {
  const { host, pathname } = new URL(url);
  const authorization = key === "" ? "" : `authorization: Bearer ${key}\r\n`;
  return `POST ${pathname} HTTP/1.1\r\nhost: ${host}\r\n${authorization}content-type: ${type}\r\n`;
}
