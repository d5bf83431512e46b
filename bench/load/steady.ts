import { Worker } from "node:worker_threads";
import { connect } from "nats";
import { Publisher } from "../../internal/jetstream/publisher.ts";
import { rawStage, rawSubject } from "../../internal/messages/subjects.ts";
import { messageOf } from "../publishing.ts";
import { percentiles } from "./percentiles.ts";
import { number, text } from "./variables.ts";

/**
 * A program: publishes raw events at a steady rate and measures the time until the final form of each arrives on core NATS.
 *
 * Open loop: each event is sent when it is due, however long earlier ones take, and its latency counts from that time. So a
 * system that stalls cannot hide the stall by slowing its load (coordinated omission).
 *
 * RATE events per second for WARM_UP plus SECONDS seconds; the warm-up does not count. Ends when all have arrived, or PATIENCE
 * seconds after the last one was due.
 */
const rate = number("RATE");
const warmUp = Math.round(number("WARM_UP") * rate);
const count = warmUp + Math.round(number("SECONDS") * rate);
const everyMs = 1000 / rate;
const source = text("SOURCE");

const nc = await connect({ servers: text("NATS_URL") });
const publisher = new Publisher(nc);
const place = { subject: rawSubject("casino"), source, stage: rawStage };
const now = () => performance.timeOrigin + performance.now();

let started = 0;
let sent = 0;
const sentLate: number[] = [];
const took: number[] = [];
const arrived = new Uint8Array(count);
const { promise: allArrived, resolve } = Promise.withResolvers<void>();
let missing = count;
nc.subscribe("casino.event.final.casino.*", {
  callback: (_err, msg) => {
    const at = now();
    if (msg.headers?.get("Casino-Source") !== source) return;
    const { id } = msg.json<{ id: number }>();
    if (arrived[id - 1] !== 0) return;
    arrived[id - 1] = 1;
    if (id > warmUp) took.push(at - (started + (id - 1) * everyMs));
    if (--missing === 0) resolve();
  },
});
await nc.flush();

function sendDue(): void {
  const at = now();
  for (; sent < count && started + sent * everyMs <= at; sent++) {
    const id = sent + 1;
    if (id > warmUp) sentLate.push(at - (started + sent * everyMs));
    const player_id = 10 + (id % 10);
    const event = {
      id,
      player_id,
      game_id: 100,
      type: "bet",
      amount: 500,
      currency: "USD",
      created_at: new Date(),
    };
    publisher.send(messageOf(place, id, Buffer.from(JSON.stringify(event))), (outcome) => {
      if (outcome instanceof Error) throw outcome;
    });
  }
}

const ticker = new Worker(new URL("ticker.ts", import.meta.url), { workerData: { everyMs, count } });
ticker.on("message", (startedAt: number) => {
  started = startedAt;
  sendDue();
});
await new Promise((done) => ticker.once("exit", done));
const patience = setTimeout(resolve, number("PATIENCE") * 1000);
await allArrived;
clearTimeout(patience);
process.stdout.write(
  JSON.stringify({ missing, sentLate: percentiles(sentLate).p99, ...percentiles(took), events: took.length }),
);
publisher.close();
await nc.close();
