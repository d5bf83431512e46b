import pino from "pino";
import { afterEach, expect, test } from "vitest";
import { defaultLimits, silent, streamsForTest } from "../../test/harness/broker.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { findDrift } from "./config-drift.ts";
import { ConsumerKeeper } from "./consumer-keeper.ts";
import type { Durable } from "./durable.ts";
import { Mailbox } from "./mailbox.ts";
import { Publisher } from "./publisher.ts";
import { StreamKeeper } from "./stream-keeper.ts";
import { OutgoingHeaders } from "./wire-headers.ts";

const { nc, jsm } = await streamsForTest();
const publisher = new Publisher(nc);
const open: Mailbox[] = [];

afterEach(async () => {
  for (const mailbox of open.splice(0)) {
    await mailbox.stop();
    mailbox.close();
  }
});

const reader: Durable = {
  stream: "CASINO_EVENTS",
  name: "reader",
  filter: "casino.event.final.*.*",
  maxAckPending: 1_000,
  repeated: "printed again",
};

/** A reader of the log that settles what it gets at once. */
async function read() {
  const lines: string[] = [];
  const log = pino({ level: "warn" }, { write: (line) => lines.push(JSON.parse(line).msg) });
  const streams = await StreamKeeper.open({ nc, stages: ["final"], limits: defaultLimits, log: silent });
  const mailbox = await Mailbox.open(nc, { durable: reader, log, streams });
  open.push(mailbox);
  const seen: string[] = [];
  void (async () => {
    for (let batch = await mailbox.take(); batch !== undefined; batch = await mailbox.take())
      for (const delivery of batch) {
        seen.push(Buffer.from(delivery.data).toString());
        mailbox.ack(delivery);
      }
  })();
  return { seen, lines, mailbox };
}

let published = 0;
async function publish(count: number): Promise<readonly string[]> {
  const payloads = Array.from({ length: count }, () => `event ${++published}`);
  for (const payload of payloads)
    await publisher.publish({
      subject: "casino.event.final.casino.bet",
      payload,
      headers: new OutgoingHeaders(),
    });
  return payloads;
}

const floor = async () => (await jsm.consumers.info("CASINO_EVENTS", "reader")).ack_floor.stream_seq;

test("a log's consumer that somebody deleted goes on where it was left, and says what comes again", async () => {
  const { seen, lines, mailbox } = await read();
  const early = await publish(50);
  await waitFor(async () => (await floor()) === 50);
  // The place is noted every second: published one by one, until what is noted lies behind the first fifty.
  const later: string[] = [];
  const started = performance.now();
  while (performance.now() - started < 2_500) later.push(...(await publish(1)));
  await waitFor(() => seen.length === 50 + later.length);

  await jsm.consumers.delete("CASINO_EVENTS", "reader");
  const last = await publish(3);
  await waitFor(() => seen.includes(last[2] ?? ""));
  expect(early.filter((payload) => seen.filter((each) => each === payload).length > 1)).toEqual([]);
  expect(new Set(seen)).toEqual(new Set([...early, ...later, ...last]));
  expect(lines.filter((line) => line.startsWith("consumer"))).toEqual([
    expect.stringMatching(
      /^consumer reader of CASINO_EVENTS was gone and is made anew at \d+, where it was: .* may be printed again$/,
    ),
  ]);
  await waitFor(() => mailbox.problem === undefined);

  // Neither the next start nor the look for changed settings minds that it began in the middle.
  await read();
  const { found } = await findDrift(nc, { streams: [], durables: [reader] });
  expect(found).toEqual([]);
});

test("one that begins with the oldest of a log that holds events says so", async () => {
  await StreamKeeper.open({ nc, stages: ["final"], limits: defaultLimits, log: silent });
  const events = await publish(5);
  const { seen, lines } = await read();
  await waitFor(() => seen.length === 5);
  expect(seen).toEqual(events);
  expect(lines).toEqual([
    "consumer reader of CASINO_EVENTS was not there and begins with the oldest event: 5 retained events are printed again, if they were before",
  ]);
});

test("a log that somebody deleted is made anew with its consumer, which begins at its beginning", async () => {
  const { seen, lines, mailbox } = await read();
  await publish(20);
  await waitFor(() => seen.length === 20);
  await waitFor(async () => (await floor()) === 20);
  await jsm.streams.delete("CASINO_EVENTS");
  await waitFor(async () => (await jsm.consumers.info("CASINO_EVENTS", "reader")).num_pending === 0);
  const anew = await publish(3);
  await waitFor(() => seen.length === 23);
  expect(seen.slice(20)).toEqual(anew);
  await waitFor(() => mailbox.problem === undefined);
  expect(lines.filter((line) => line.startsWith("the broker refuses"))).toHaveLength(1);
});

test("an outage of the consumer's server side is said once, however often it is refused", async () => {
  const { lines, mailbox } = await read();
  await jsm.streams.delete("CASINO_EVENTS");
  await jsm.streams.add({ name: "OTHERS", subjects: ["casino.event.>"] }); // so that it cannot be made anew
  await waitFor(() => mailbox.problem === "stream CASINO_EVENTS is missing");
  const started = performance.now();
  await waitFor(() => performance.now() - started > 3_000);
  expect(lines.filter((line) => line.startsWith("the broker refuses"))).toHaveLength(1);
  expect(lines.filter((line) => line.includes("cannot be looked after"))).toHaveLength(1);
  await jsm.streams.delete("OTHERS");
  await waitFor(() => mailbox.problem === undefined);
});

test("a request without an answer is said only when it is not the only one, and the consumer is there", async () => {
  await StreamKeeper.open({ nc, stages: ["final"], limits: defaultLimits, log: silent });
  const said: string[] = [];
  const log = pino({ level: "warn" }, { write: (line) => said.push(JSON.parse(line).msg) });
  const keeper = new ConsumerKeeper(nc, { durable: reader, log });
  await keeper.open();
  for (const _ of [1, 2]) keeper.refused(0, "no answer");
  expect(keeper.problem).toBeUndefined();
  keeper.served();
  for (const _ of [1, 2, 3, 4]) keeper.refused(0, "no answer");
  expect(keeper.problem).toBe("the broker refuses to deliver to reader (no answer)");
  expect(said).toEqual(["the broker refuses to deliver to reader (no answer)"]);
  keeper.close();
});
