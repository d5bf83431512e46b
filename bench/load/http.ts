import { setTimeout as sleep } from "node:timers/promises";
import { HttpConnection, requestHead } from "./http-connection.ts";
import { percentiles } from "./percentiles.ts";
import { randomPayloads } from "./random-payloads.ts";
import { number, text } from "./variables.ts";

/**
 * A program: posts COUNT events to URL over CONNECTIONS connections, each of which sends its next request after an answer.
 * BATCH events per request: one as an object, several as an array or, by FORM, as NDJSON. IDs start at FIRST_ID, of PLAYERS
 * players (0 = the generator's). It retries soon when the server is full or limits requests.
 */
const url = text("URL");
const count = number("COUNT");
const batch = number("BATCH");
const isNdjson = text("FORM") === "ndjson";
const payloads = randomPayloads(number("FIRST_ID"), number("PLAYERS") || undefined);
const head = requestHead(url, isNdjson ? "application/x-ndjson" : "application/json", text("KEY"));

let left = count;
function nextBody(): string {
  const events = Array.from({ length: Math.min(batch, left) }, () => payloads.next().value);
  left -= events.length;
  if (isNdjson) return events.join("\n");
  return batch === 1 ? (events[0] ?? "") : `[${events.join()}]`;
}

const refusedPauseMs = 100;
let refused = 0;
const took: number[] = [];
async function send(connection: HttpConnection): Promise<void> {
  while (left > 0) {
    const body = nextBody();
    const sentAt = performance.now();
    for (;;) {
      const status = await connection.post(head, body);
      if (status >= 200 && status < 300 && status !== 207) break;
      if (status !== 503 && status !== 429) throw new Error(`${url} answered ${status}`);
      refused++;
      await sleep(refusedPauseMs);
    }
    took.push(performance.now() - sentAt);
  }
}

const connections = await Promise.all(
  Array.from({ length: number("CONNECTIONS") }, () => HttpConnection.open(url)),
);
const started = performance.now();
await Promise.all(connections.map(send));
const seconds = (performance.now() - started) / 1000;
for (const connection of connections) connection.close();
process.stdout.write(JSON.stringify({ perSecond: count / seconds, refused, ...percentiles(took) }));
