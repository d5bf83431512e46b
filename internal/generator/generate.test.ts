import { beforeEach, expect, test } from "vitest";
import { brokerForTest, defaultLimits, silent } from "../../test/harness/broker.ts";
import { startCommand } from "../../test/harness/command.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { hasCode, streamNotFound } from "../jetstream/api-error.ts";
import { Publisher } from "../jetstream/publisher.ts";
import { ensureStreams } from "../jetstream/topology.ts";
import { type MakeEvents, randomEvents } from "./events.ts";
import { type GenerateOptions, generate } from "./generate.ts";

const { server: nats, nc, jsm } = await brokerForTest();
const never = new AbortController().signal;

interface Stored {
  readonly subject: string;
  readonly event: Record<string, unknown>;
  readonly header: (name: string) => string;
}

/** Everything CASINO_RAW holds, in order. */
async function stored(): Promise<readonly Stored[]> {
  const { state } = await jsm.streams.info("CASINO_RAW");
  const numbers = Array.from({ length: state.messages }, (_, index) => state.first_seq + index);
  return Promise.all(
    numbers.map(async (seq) => {
      const message = await jsm.streams.getMessage("CASINO_RAW", { seq });
      if (message === null) throw new Error(`${seq} is not in the stream`);
      return { subject: message.subject, event: message.json(), header: (name) => message.header.get(name) };
    }),
  );
}

/** The same, as its lines. */
async function texts() {
  const { state } = await jsm.streams.info("CASINO_RAW");
  const numbers = Array.from({ length: state.messages }, (_, index) => state.first_seq + index);
  return Promise.all(
    numbers.map(async (seq) => {
      const message = await jsm.streams.getMessage("CASINO_RAW", { seq });
      return {
        lines: message?.string().split("\n") ?? [],
        type: message?.header.get("Content-Type"),
      };
    }),
  );
}

const count = async () => (await jsm.streams.info("CASINO_RAW")).state.messages;
const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);

beforeEach(async () => {
  await nats.start();
  await waitFor(() => nc.rtt());
  // A server that has just started may be too busy to answer; only that there is no stream is an answer.
  await waitFor(() =>
    jsm.streams.delete("CASINO_RAW").catch((err: unknown) => {
      if (!hasCode(err, streamNotFound)) throw err;
      return true;
    }),
  );
  await ensureStreams(nc, ["raw"], defaultLimits);
});

const bets: MakeEvents = (random, now) => randomEvents(random, now, { type: "bet" });

/** One run in this process. */
function run(options: Partial<GenerateOptions>): Promise<void> {
  return generate({ publisher: new Publisher(nc), log: silent, signal: never, ...options });
}

/** One run as a process of its own. */
const command = (...args: string[]) =>
  startCommand("cmd/generator/main.ts", { args, env: { NATS_URL: nats.url } });

test("exactly as many events as asked for, in order, each a message that can be traced", async () => {
  await run({ count: 750, rate: 1e6, client: "lucky-7" });
  const messages = await stored();
  expect(messages.map(({ event }) => event.id)).toEqual(upTo(750));
  expect(new Set(messages.map(({ subject }) => subject))).toEqual(new Set(["casino.event.raw.lucky-7"]));
  const [source] = new Set(messages.map(({ header }) => header("Casino-Source")));
  expect(source).toMatch(/^generator-[0-9a-f]{8}$/);
  for (const { header } of messages) {
    expect(header("Casino-Source")).toBe(source);
    expect(header("Nats-Msg-Id")).toBe("");
    expect(header("traceparent")).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  }
  expect(new Set(messages.map(({ header }) => header("traceparent"))).size).toBe(750);
  const times = messages.map(({ event }) => String(event.created_at));
  expect(times).toEqual(times.toSorted());
});

test("two runs with one seed send the same events, as two sources, and all are stored", async () => {
  await run({ count: 20, rate: 1e6, seed: 7, events: bets });
  await run({ count: 20, rate: 1e6, seed: 7, events: bets });
  const messages = (await stored()).map(({ event: { created_at, ...event } }) => event);
  expect(messages).toHaveLength(40);
  expect(messages.slice(20)).toEqual(messages.slice(0, 20));
  expect(new Set(messages.map(({ type }) => type))).toEqual(new Set(["bet"]));
});

test("without a rate there are gaps, and the events come all the same", async () => {
  await run({ count: 5 });
  expect((await stored()).map(({ event }) => event.id)).toEqual(upTo(5));
});

test("while the stream is full it waits, says so once, and then goes on", async () => {
  // Not by bytes: a full stream of nats-server 2.9 drops old messages then (nats-server#4771).
  await jsm.streams.update("CASINO_RAW", { max_msgs: 100 });
  const said: string[] = [];
  const log = Object.assign(Object.create(silent), {
    warn: (_: unknown, message: string) => said.push(message),
    info: (...args: unknown[]) => said.push(String(args.at(-1))),
  });
  const running = run({ count: 6_000, rate: 1e6, log });
  await waitFor(() => said.length >= 2);
  expect(await count()).toBe(100);
  await jsm.streams.update("CASINO_RAW", { max_msgs: -1 });
  await running;
  const ids = (await stored()).map(({ event }) => Number(event.id));
  expect(ids.toSorted((a, b) => a - b)).toEqual(upTo(6_000));
  expect(said[1]).toBe("events wait: maximum messages exceeded");
  expect(said.filter((message) => message.startsWith("events wait")).length).toBeLessThan(10);
});

test("the command ends with 0, and what it did is on stderr", async () => {
  const generator = command("--count", "30", "--rate", "1000", "--seed", "1");
  expect(await generator.ended).toEqual({ code: 0, signal: null });
  expect(generator.stdout).toBe("");
  expect(await generator.logged("generating")).toMatchObject({ seed: 1, client: "casino" });
  expect(await generator.logged("generated")).toMatchObject({ events: 30 });
  expect(await count()).toBe(30);
});

test("the broker is killed in the middle: every event is stored", async () => {
  const generator = command("--count", "6000", "--rate", "6000");
  await waitFor(async () => (await count()) > 1_000);
  await nats.kill();
  await nats.start();
  expect(await generator.ended, generator.stderr).toEqual({ code: 0, signal: null });
  await waitFor(() => nc.rtt());
  const messages = await stored();
  // What was not answered before is sent again, and the door drops nothing: copies end where final events are stored.
  const ids = new Set(messages.map(({ event }) => Number(event.id)));
  expect([...ids].toSorted((a, b) => a - b)).toEqual(upTo(6_000));
  expect(new Set(messages.map(({ header }) => header("Casino-Source"))).size).toBe(1);
});

test("Ctrl-C ends it with 0, and everything it says it sent is stored", async () => {
  const generator = command("--rate", "2000");
  await waitFor(async () => (await count()) > 500);
  generator.child.kill("SIGINT");
  expect(await generator.ended).toEqual({ code: 0, signal: null });
  const { events } = await generator.logged("generated");
  expect((await stored()).map(({ event }) => event.id)).toEqual(upTo(Number(events)));
});

test("Ctrl-C ends it with 0 also while the broker is away", async () => {
  const generator = command("--rate", "2000");
  await waitFor(async () => (await count()) > 500);
  await nats.kill();
  await generator.logged(/lost NATS/);
  generator.child.kill("SIGINT");
  expect(await generator.ended).toEqual({ code: 0, signal: null });
  await generator.logged("stopped");
});

test("several events in one message: as many as asked for, in order, the last message with the rest", async () => {
  await run({ count: 250, rate: 1e6, batch: 100, seed: 7 });
  await run({ count: 250, rate: 1e6, seed: 7 });
  const messages = await texts();
  const [batched, single] = [messages.slice(0, 3), messages.slice(3)];
  expect(batched.map(({ lines, type }) => [lines.length, type])).toEqual([
    [100, "application/x-ndjson"],
    [100, "application/x-ndjson"],
    [50, "application/x-ndjson"],
  ]);
  expect(single.map(({ lines, type }) => [lines.length, type])).toEqual(Array(250).fill([1, ""]));
  const events = (some: typeof messages) =>
    some.flatMap(({ lines }) => lines).map((line) => ({ ...JSON.parse(line), created_at: undefined }));
  expect(events(batched)).toEqual(events(single));
});

test("a batch that is larger than a message may be becomes several; an event that is ends the run", async () => {
  const large = (bytes: number): MakeEvents =>
    function* () {
      for (let id = 1; ; id++) yield { id, type: "note", data: { text: "x".repeat(bytes) } };
    };
  await run({ count: 10, rate: 1e6, batch: 10, events: large(200_000) });
  expect((await texts()).map(({ lines }) => lines.length)).toEqual([4, 4, 2]);
  await expect(run({ rate: 1e6, batch: 10, events: large(2 ** 20) })).rejects.toThrow(/max_payload/);
});
