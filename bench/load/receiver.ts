import { createServer, type ServerResponse } from "node:http";
import { json } from "node:stream/consumers";
import { number } from "./variables.ts";

/**
 * A program: a client's receiver of webhooks at PORT. `POST /hook` answers 204; `POST /hang` does not answer before
 * `GET /release`. `GET /took` answers with the times from `created_at` to arrival, in ms, of the events since the last request.
 */
const took: number[] = [];
const hanging: ServerResponse[] = [];

interface Call {
  readonly timestamp: string;
  readonly data: unknown;
}

createServer(async (request, response) => {
  if (request.url === "/took") return response.end(JSON.stringify(took.splice(0)));
  if (request.url === "/release") {
    for (const waiting of hanging.splice(0)) waiting.writeHead(204).end();
    return response.end();
  }
  const call = (await json(request)) as Call; // what the sender sends
  if (request.url === "/hang") return hanging.push(response);
  const now = Date.now();
  const events: readonly Call[] = Array.isArray(call.data) ? call.data : [call];
  for (const { timestamp } of events) took.push(now - Date.parse(timestamp));
  return response.writeHead(204).end();
}).listen(number("PORT"), "127.0.0.1");
process.once("SIGTERM", () => process.exit(0));
