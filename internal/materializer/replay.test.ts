import { cp, rm } from "node:fs/promises";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, headers, type NatsConnection } from "nats";
import pino from "pino";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { natsForTest } from "../../test/harness/infrastructure.ts";
import { TcpProxy } from "../../test/harness/tcp-proxy.ts";
import { tempFolder } from "../../test/harness/temp-folder.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { freePort } from "../local/free-port.ts";
import { WorkMeter } from "../telemetry/work-meter.ts";
import { Fold } from "./fold.ts";
import { Replay } from "./replay.ts";

const dir = tempFolder("nats");
const server = await natsForTest({ dir });
let nc: NatsConnection;
let markers = 0;

beforeEach(async () => {
  nc = await connect({ servers: server.url, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
  await createStream();
});

afterEach(async () => {
  const jsm = await jetstreamManager(nc);
  await jsm.streams.delete("CASINO_EVENTS");
  await nc.close();
});

async function createStream(): Promise<void> {
  const jsm = await jetstreamManager(nc);
  await jsm.streams.add({ name: "CASINO_EVENTS", subjects: ["casino.event.final.*.*"] });
}

interface PublishOptions {
  readonly client?: string;
  readonly source?: string;
  readonly payload?: string;
  readonly via?: NatsConnection;
}

/** Publishes game events with these ids; each is stored when this resolves. */
async function publish(
  ids: readonly number[],
  { client = "casino", source, payload, via = nc }: PublishOptions = {},
): Promise<void> {
  const js = jetstream(via);
  for (const id of ids) {
    const body = payload ?? JSON.stringify({ id, player_id: 10, game_id: 100, type: "game_start" });
    const options = { headers: headers(), timeout: 500 };
    if (source !== undefined) options.headers.set("Casino-Source", source);
    // A publish to a dying server gets no answer. The repeated one may be stored twice, which the fold must handle anyway.
    await waitFor(() => js.publish(`casino.event.final.${client}.game_start`, body, options));
  }
}

function start(replay: "on" | "off" = "on", log = silent) {
  const fold = new Fold();
  const running = new Replay({ nc, fold, log, replay });
  onTestFinished(() => running.close());
  const total = (): number => fold.rhythm()?.total ?? 0;
  return {
    fold,
    /**
     * How many events of `casino` there are, once everything stored so far is folded. The log is read in order: an event of
     * another client that is stored last is folded last. A total that is merely waited for may be passed on the way.
     */
    exactTotal: async () => {
      const marker = `marker-${++markers}`;
      await publish([1], { client: marker });
      await waitFor(() => fold.rhythm(marker) !== undefined);
      return fold.rhythm("casino")?.total ?? 0;
    },
    running,
    total,
    untilTotal: (n: number) => waitFor(() => total() === n, { what: `total ${n}` }),
  };
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

test("folds what is retained, says when it has, and goes on with what comes", async () => {
  await publish(range(1, 50));
  const { running, fold, total, untilTotal } = start();
  await waitFor(() => running.caughtUp());
  expect(total()).toBe(50);
  await publish([51]);
  await untilTotal(51);

  const jsm = await jetstreamManager(nc);
  const first = (await jsm.streams.info("CASINO_EVENTS")).state.first_ts;
  expect(fold.rhythm()?.first).toBe(Date.parse(first));
});

test("knows what it has folded: everything, or from which moment on", async () => {
  const jsm = await jetstreamManager(nc);
  const { created } = await jsm.streams.info("CASINO_EVENTS");
  expect(start("off").running.coverage).toBeUndefined();
  await publish(range(1, 5));
  const whole = start();
  const none = start("off");
  await Promise.all([whole.running.whenCaughtUp(), none.running.whenCaughtUp()]);
  expect(whole.running.coverage).toEqual({ since: Date.parse(created), first: undefined });
  expect(none.running.coverage).toBeUndefined();

  await jsm.streams.purge("CASINO_EVENTS", { keep: 2 });
  const rest = start();
  await rest.running.whenCaughtUp();
  const { first_ts } = (await jsm.streams.info("CASINO_EVENTS")).state;
  const { since, first = 0 } = rest.running.coverage ?? {};
  expect(since).toBe(Date.parse(first_ts));
  // Both may have been stored in one millisecond.
  expect([1, 2]).toContain(first);
});

test("a second one gives the same figures as the first", async () => {
  await publish(range(1, 20));
  const one = start();
  await waitFor(() => one.running.caughtUp());
  const two = start();
  await waitFor(() => two.running.caughtUp());
  expect(two.total()).toBe(one.total());
  expect(two.fold.rhythm()?.first).toBe(one.fold.rhythm()?.first);
});

test("with replay off it starts from zero and is caught up at once", async () => {
  await publish(range(1, 5));
  const { running, total, untilTotal } = start("off");
  await waitFor(() => running.caughtUp());
  // The consumer is created soon after, so publish until it receives something.
  let id = 100;
  await waitFor(async () => {
    await publish([id++]);
    return total() > 0;
  });
  expect(total()).toBeLessThanOrEqual(id - 100);
  const before = id - 100;
  await publish([id]);
  await untilTotal(before + 1);
});

test("tells sources apart, by header, and folds each event once", async () => {
  await publish([1, 2]);
  await publish([1, 2], { source: "run-1" });
  await publish([1, 2], { source: "nats" });
  const { running, total } = start();
  await waitFor(() => running.caughtUp());
  expect(total()).toBe(4);
});

test("counts, logs and skips what it cannot read", async () => {
  const lines: string[] = [];
  const log = pino({ level: "error" }, { write: (line) => lines.push(line) });
  await publish([1]);
  await publish([2], { payload: "not JSON" });
  await publish([3], { payload: '{"id":3}' });
  await publish([4]);
  const { running, total } = start("on", log);
  await waitFor(() => running.caughtUp());
  expect(total()).toBe(2);
  expect(running.undecodable).toBe(2);
  expect(lines.map((line) => JSON.parse(line)).map(({ seq, problem }) => [seq, problem])).toEqual([
    [2, "The body is not JSON in UTF-8."],
    [3, "type is not a string."],
  ]);
});

test("goes on after NATS was killed and came back, losing none and doubling none", async () => {
  await publish(range(1, 30));
  const { untilTotal, exactTotal } = start();
  await untilTotal(30);
  for (const round of [1, 2]) {
    await server.kill();
    await server.start();
    await publish(range(1000 * round + 1, 1000 * round + 20));
    expect(await exactTotal()).toBe(30 + round * 20);
  }
});

test("waits for a server that is down and a stream that is missing at start", async () => {
  const jsm = await jetstreamManager(nc);
  await jsm.streams.delete("CASINO_EVENTS");
  await server.kill();
  const { running, untilTotal } = start();
  await server.start();
  await waitFor(() => running.problem === "CASINO_EVENTS cannot be read: stream not found");
  expect(running.caughtUp()).toBe(false);
  await waitFor(() => createStream().then(() => true));
  await waitFor(() => running.problem === undefined);
  expect(running.caughtUp()).toBe(true);
  await publish([1]);
  await untilTotal(1);
});

test("begins anew with a stream that was deleted and created anew, as one that starts then does", async () => {
  await publish(range(1, 40));
  const { untilTotal, running } = start();
  await untilTotal(40);
  const jsm = await jetstreamManager(nc);
  await jsm.streams.delete("CASINO_EVENTS");
  await createStream();
  await publish(range(41, 45));
  await untilTotal(5);
  await publish(range(46, 100));
  await untilTotal(60);
  const { created } = await jsm.streams.info("CASINO_EVENTS");
  expect(running.coverage).toEqual({ since: Date.parse(created), first: undefined });
  const other = start();
  await other.untilTotal(60);
});

test("begins anew where the broker lost its tail in a crash and gave its sequences out again", async () => {
  await publish(range(1, 20));
  const { untilTotal, exactTotal } = start();
  await untilTotal(20);
  // The disk as it was before the last five, put back after the crash: what a power cut leaves of unsynced writes.
  await server.stop();
  const saved = tempFolder("nats-saved");
  await cp(dir, saved, { recursive: true });
  await server.start();
  await publish(range(21, 25));
  await untilTotal(25);
  await server.kill();
  await rm(dir, { recursive: true });
  await cp(saved, dir, { recursive: true });
  // More are stored than were lost before the replay is back, so that by sequence nothing would look odd.
  const elsewhere = await natsForTest({ dir });
  const other = await connect({ servers: elsewhere.url });
  await publish(range(26, 40), { via: other });
  await other.close();
  await elsewhere.stop();
  await server.start();
  await untilTotal(35);
  expect(await exactTotal()).toBe(35);
});

test("after the broker's clock was ahead it misses none: it goes on by sequence, and a time that differs makes it begin anew", async () => {
  // Behind the proxy every message looks stored an hour later while the clock is wrong.
  let isAhead = false;
  const later = (sent: Buffer): Buffer => {
    const ackSubject = /(\$JS\.ACK\.CASINO_EVENTS\.[^ ]*\.)(\d{19})(\.\d+ )/g;
    const anHourLater = (_: string, before: string, time: string, after: string) =>
      before + (BigInt(time) + 3_600_000_000_000n) + after;
    return isAhead ? Buffer.from(sent.toString("latin1").replace(ackSubject, anHourLater), "latin1") : sent;
  };
  const proxy = await TcpProxy.open(await freePort(), Number(new URL(server.url).port), later);
  onTestFinished(() => proxy.cut());
  const servers = `127.0.0.1:${proxy.port}`;
  const behind = await connect({ servers, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
  onTestFinished(() => behind.close());
  const fold = new Fold();
  const meter = new WorkMeter("fold");
  const running = new Replay({ nc: behind, fold, log: silent, meter, replay: "on" });
  onTestFinished(() => running.close());
  const untilTotal = (n: number) => waitFor(() => fold.rhythm()?.total === n, { what: `total ${n}` });

  await publish(range(1, 10));
  await untilTotal(10);
  expect([meter.events, meter.durations.count]).toEqual([10, 10]);
  isAhead = true;
  await publish(range(11, 20));
  await untilTotal(20);
  isAhead = false;
  await publish(range(21, 30));
  await untilTotal(30);
  isAhead = true;
  await publish(range(31, 40));
  await untilTotal(40);
  isAhead = false;
  await behind.reconnect();
  await publish(range(41, 50));
  await untilTotal(50);
  await waitFor(() => running.problem === undefined);
  expect(fold.clock(Date.now()) - Date.now()).toBeLessThan(1_000);
});

test("becomes caught up when the rest of the stream is purged before it was delivered", async () => {
  await publish(range(1, 3));
  const jsm = await jetstreamManager(nc);
  await jsm.streams.purge("CASINO_EVENTS");
  const { running, untilTotal } = start();
  await waitFor(() => running.caughtUp());
  await publish([4]);
  await untilTotal(1);
});
