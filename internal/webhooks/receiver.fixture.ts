import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { onTestFinished } from "vitest";
import { networks } from "../service/config-values.ts";
import { Deliverer, type DelivererOptions } from "./deliver.ts";

/** A call as the receiver gets it. */
export interface Received {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Receiver {
  readonly url: string;
  readonly port: number;
  readonly received: readonly Received[];
  /** Ends it as a crash does: calls in flight get no answer, and nothing listens. */
  readonly crash: () => void;
  /** Listens again on the same port. */
  readonly restart: () => Promise<void>;
}

/** A client's receiver: a real server, closed after the test. It answers 204 unless the test changes that. */
export async function receiverForTest(
  answer: (response: ServerResponse, request: IncomingMessage) => void = (response) => {
    response.writeHead(204).end();
  },
  tls?: { readonly key: string; readonly cert: string },
): Promise<Receiver> {
  const received: Received[] = [];
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request);
    const headers = Object.entries(request.headers).map(([name, value]) => [name, String(value)]);
    received.push({ body, headers: Object.fromEntries(headers) });
    answer(response, request);
  };
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    take(request, response).catch(() => response.destroy());
  };
  const server = tls === undefined ? createServer(onRequest) : createTlsServer(tls, onRequest);
  const listen = (port: number) =>
    new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, "127.0.0.1", resolve);
    });
  await listen(0);
  const crash = (): void => {
    server.close();
    server.closeAllConnections();
  };
  onTestFinished(crash);
  const { port } = server.address() as AddressInfo; // it listens on a port
  const url = `http${tls === undefined ? "" : "s"}://127.0.0.1:${port}/hook`;
  return { url, port, received, crash, restart: () => listen(port) };
}

/** A deliverer that may call this machine, unless the test changes that; closed after the test. */
export function delivererForTest(options: DelivererOptions = {}): Deliverer {
  const deliverer = new Deliverer({ allow: networks("127.0.0.0/8"), ...options });
  onTestFinished(() => deliverer.close());
  return deliverer;
}
