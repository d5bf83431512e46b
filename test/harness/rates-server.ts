import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll } from "vitest";
import { oracleRates } from "../oracle.ts";

/** Somebody else's rates API. */
export interface RatesServer {
  readonly url: string;
  /** What it answers from now on. */
  answer(body: string, status?: number): void;
  /** It answers with the oracle's rates again, as it does at first. */
  recover(): void;
}

/** A rates API of this test file's own, closed after the file's last test. */
export async function ratesForTest(): Promise<RatesServer> {
  const usual = JSON.stringify({ base: "EUR", rates: oracleRates });
  let [body, status] = [usual, 200];
  const server = createServer((_request, response) => {
    response.statusCode = status;
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  afterAll(() => server.close());
  const { port } = server.address() as AddressInfo; // an address, as it listens on a port
  return {
    url: `http://127.0.0.1:${port}/`,
    answer: (text, code = 200) => {
      [body, status] = [text, code];
    },
    recover: () => {
      [body, status] = [usual, 200];
    },
  };
}
