import { createServer, type Server, type ServerResponse } from "node:http";
import { freePort } from "../../internal/local/free-port.ts";
import { oracleRates } from "../oracle.ts";

/** The API's behaviour: correct; an answer after 20 s; rates of another base; 500; not listening. */
export type RatesMode = "well" | "slow" | "wrong" | "failing" | "absent";

const slowMs = 20_000;

/** A stand-in for the external rates API, which can misbehave. */
export class RatesApi implements AsyncDisposable {
  readonly url: string;
  /** Requests since the last change of mode. */
  asked = 0;
  readonly #port: number;
  #mode: RatesMode = "well";
  #server: Server | undefined;

  private constructor(port: number) {
    this.#port = port;
    this.url = `http://127.0.0.1:${port}/latest`;
  }

  static async open(): Promise<RatesApi> {
    const api = new RatesApi(await freePort());
    await api.#listen();
    return api;
  }

  async become(mode: RatesMode): Promise<void> {
    this.#mode = mode;
    this.asked = 0;
    if (mode === "absent") await this.#close();
    else if (this.#server === undefined) await this.#listen();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }

  #listen(): Promise<void> {
    const server = createServer((_request, response) => this.#answer(response));
    this.#server = server;
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.#port, "127.0.0.1", () => resolve());
    });
  }

  async #close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  #answer(response: ServerResponse): void {
    this.asked++;
    const good = JSON.stringify({ base: "EUR", rates: oracleRates });
    switch (this.#mode) {
      case "slow":
        setTimeout(() => response.end(good), slowMs).unref();
        break;
      case "wrong":
        response.end(JSON.stringify({ base: "USD", rates: { ...oracleRates, EUR: "0.9", USD: "1" } }));
        break;
      case "failing":
        response.writeHead(500).end("no");
        break;
      default:
        response.end(good);
    }
  }
}
