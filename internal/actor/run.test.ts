import { DiscardPolicy } from "@nats-io/jetstream";
import { afterEach, describe, expect, test } from "vitest";
import { connectForTest, defaultLimits, silent, workerForTest } from "../../test/harness/broker.ts";
import { natsForTest } from "../../test/harness/infrastructure.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { decodeRaw } from "../casino/decode.ts";
import { Publisher } from "../jetstream/publisher.ts";
import { ensureStreams } from "../jetstream/topology.ts";
import { OutgoingHeaders } from "../jetstream/wire-headers.ts";
import { readRecord } from "../ledger/record.ts";
import { Unavailable } from "../unavailable.ts";
import { type RunOptions, StepRun } from "./run.ts";
import { deadLetter, forward, later, type Outcome, type Step } from "./step.ts";

const server = await natsForTest();
const { nc, jsm } = await connectForTest(server);
const publisher = new Publisher(nc);
const worker = workerForTest();
const runs: StepRun[] = [];

afterEach(async () => {
  await Promise.all(runs.splice(0).map((run) => run.stop()));
  for await (const { config } of jsm.streams.list()) await jsm.streams.delete(config.name);
});

/** Runs a step on fresh streams. */
async function start(
  enrich: Step["enrich"],
  decode: RunOptions["decode"] = (payload) => decodeRaw(payload),
): Promise<StepRun> {
  await ensureStreams(nc, ["raw", "tested"], defaultLimits);
  const step: Step = { name: "test", forwardsTo: "tested", enrich };
  const run = await StepRun.start({
    step,
    takesFrom: "raw",
    decode,
    nc,
    publisher,
    worker,
    replicas: 1,
    log: silent,
    lookForStrandedEveryMs: 1_000,
  });
  runs.push(run);
  return run;
}

const passOn: Step["enrich"] = async (batch) => batch.map(({ event }) => forward(event));
const each =
  (outcome: (id: number) => Outcome | undefined): Step["enrich"] =>
  async (batch) =>
    batch.map(({ event }) => outcome(event.id) ?? forward(event));

const raw = (id: number) =>
  `{"id":${id},"type":"game_start","player_id":10,"game_id":100,"created_at":"2022-01-10T12:34:56Z"}`;

let sent = 0;
async function send(payload: string | Uint8Array, headers: Record<string, string> = {}, client = "casino") {
  const out = new OutgoingHeaders().add("Nats-Msg-Id", `test:${++sent}`);
  for (const [name, value] of Object.entries(headers)) out.add(name, value);
  await publisher.publish({
    subject: `casino.event.raw.${client}`,
    payload: Buffer.from(payload),
    headers: out,
  });
}

/** Everything in a stream, in order: subject, payload and headers. */
async function stored(stream: string) {
  const { state } = await jsm.streams.info(stream);
  const messages: { subject: string; text: string; headers: Record<string, string> }[] = [];
  if (state.messages === 0) return messages;
  for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
    const message = await jsm.streams.getMessage(stream, { seq });
    if (message !== null)
      messages.push({
        subject: message.subject,
        text: message.string(),
        headers: Object.fromEntries([...message.header].map(([name, values]) => [name, values.join()])),
      });
  }
  return messages;
}

const count = async (stream: string) => (await jsm.streams.info(stream)).state.messages;
/** Waits until nothing is left in the mailbox, then gives what was forwarded and what was set aside. */
async function settled() {
  await waitFor(async () => (await count("CASINO_RAW")) === 0, { timeout: 30_000 });
  return { forwarded: await stored("CASINO_TESTED"), dead: await stored("CASINO_DEAD") };
}

describe("the actor loop", () => {
  test("forwards an event with its envelope and removes it from its mailbox", async () => {
    await start(passOn);
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const headers = { "Casino-Source": "crm", traceparent };
    // No producer says which accepted event its message is.
    await send(raw(7), { ...headers, "X-Other": "1", "Casino-Accepted": "99 1" });
    const { forwarded, dead } = await settled();
    expect(dead).toEqual([]);
    expect(forwarded).toEqual([
      {
        subject: "casino.event.tested.casino.game_start",
        text: '{"id":7,"player_id":10,"game_id":100,"type":"game_start","created_at":"2022-01-10T12:34:56.000Z"}',
        headers: {
          ...headers,
          "Nats-Msg-Id": "casino:crm:7:tested",
          "Casino-Accepted": expect.stringMatching(/^1 \d{13}$/),
        },
      },
    ]);
  });

  test("gives an event without source and trace its defaults", async () => {
    await start(passOn);
    await send(raw(8));
    const [event] = (await settled()).forwarded;
    expect(event?.headers["Nats-Msg-Id"]).toBe("casino:nats:8:tested");
    expect(event?.headers.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  });

  test("carries the rate beside the event", async () => {
    await start(async (batch) =>
      batch.map(({ event }) => forward(event, { value: "1.0684", at: "2026-01-01T00:00:00.000Z" })),
    );
    await send(raw(9));
    const [event] = (await settled()).forwarded;
    expect(event?.headers).toMatchObject({
      "Casino-Rate": "1.0684",
      "Casino-Rate-At": "2026-01-01T00:00:00.000Z",
    });
  });

  test("sets aside what a step says can never succeed, with the original bytes and headers", async () => {
    await start(each(() => deadLetter("unsupported_currency", "No rate\nfor XYZ.")));
    const payload = `  ${raw(10)}  `;
    await send(payload, {
      "Casino-Source": "crm",
      "X-Other": "kept",
      "Casino-Dead-Reason": "of an earlier letter",
    });
    const { forwarded, dead } = await settled();
    expect(forwarded).toEqual([]);
    expect(dead).toHaveLength(1);
    expect(dead[0]).toMatchObject({ subject: "casino.dead.test.casino", text: payload });
    const { "Casino-Dead-At": at, ...headers } = dead[0]?.headers ?? {};
    expect(Date.parse(at ?? "")).toBeGreaterThan(Date.now() - 60_000);
    expect(headers).toEqual({
      "Casino-Source": "crm",
      "X-Other": "kept",
      "Casino-Dead-Step": "test",
      "Casino-Dead-Reason": "unsupported_currency",
      "Casino-Dead-Error": "No rate for XYZ.",
      "Casino-Dead-Subject": "casino.event.raw.casino",
      "Casino-Dead-Deliveries": "1",
      "Casino-Dead-Msg-Id": expect.stringMatching(/^test:/),
      "Nats-Msg-Id": "CASINO_RAW:1:dead",
    });
  });

  test("writes down which accepted events ended as copies of others, before it lets them go", async () => {
    const run = await start(passOn);
    await Promise.all(Array.from({ length: 50 }, () => send(raw(70))));
    const { forwarded } = await settled();
    expect(forwarded).toHaveLength(1);
    const records = (await stored("CASINO_LEDGER")).map(({ subject, text }) =>
      readRecord(subject, Buffer.from(text)),
    );
    const dropped = records.flatMap((record) => (record?.kind === "duplicates" ? record.dropped : []));
    const numbers = dropped.map(({ accepted }) => Number(accepted.split(" ")[0]));
    expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 49 }, (_, index) => index + 2));
    expect(dropped[0]).toMatchObject({ event: "casino:nats:70", copyOf: 1 });
    expect(records[0]).toMatchObject({ kind: "duplicates", step: "test", stream: "CASINO_TESTED" });
    expect(run.problem).toBeUndefined();
  });

  test("keeps copies in their mailbox until the ledger can be written", async () => {
    const run = await start(passOn);
    await jsm.streams.update("CASINO_LEDGER", { discard: DiscardPolicy.New, max_msgs: 1 });
    nc.publish("casino.ledger.duplicates.test", "full");
    for (let copy = 0; copy < 2; copy++) await send(raw(71));
    await waitFor(() => run.problem !== undefined);
    expect(await count("CASINO_RAW")).toBe(1);
    await jsm.streams.update("CASINO_LEDGER", { max_msgs: -1 });
    await settled();
    expect(await count("CASINO_LEDGER")).toBe(2);
    expect(run.problem).toBeUndefined();
  });

  test("bad input becomes one dead letter each, and the rest goes on", async () => {
    await start(passOn);
    const bad: readonly [string | Uint8Array, string, Record<string, string>?, string?][] = [
      ["", "invalid_json"],
      ["nonsense", "invalid_json"],
      [Buffer.from([0xff, 0xfe, 0x00]), "invalid_json"],
      ["[]", "invalid_event"],
      ["null", "invalid_event"],
      [`${"[".repeat(500_000)}`, "invalid_json"],
      [`${"[".repeat(400_000)}${"]".repeat(400_000)}`, "invalid_event"],
      ['{"__proto__":{"id":1,"type":"game_start"}}', "invalid_event"],
      [raw(1).replace('"player_id":10,', ""), "invalid_event"],
      [raw(1).replace("2022-01-10", "2022-02-30"), "invalid_event"],
      ['{"id":1,"type":"jackpot","created_at":"2022-01-10T12:34:56Z"}', "unknown_type"],
      [raw(1), "invalid_event", { "Casino-Source": "not a source" }],
      [raw(1), "unknown_client", {}, "NOBODY"],
    ];
    for (const [payload, , headers, client] of bad) await send(payload, headers, client);
    await send(raw(11));
    const { forwarded, dead } = await settled();
    expect(forwarded).toHaveLength(1);
    expect(dead.map((letter) => letter.headers["Casino-Dead-Reason"])).toEqual(
      bad.map(([, reason]) => reason),
    );
    for (const letter of dead) expect(letter.headers["Casino-Dead-Error"]).not.toBe("");
  });

  test("a message with headers that the client library refuses to read is handled like any other", async () => {
    await start(passOn);
    const odd = { encode: () => Buffer.from("NATS/1.0\r\nbad name: 1\r\nCasino-Source: crm\r\n\r\n") };
    nc.publish("casino.event.raw.casino", raw(12), { headers: odd as never }); // only encode is called
    nc.publish("casino.event.raw.casino", "nonsense", { headers: odd as never });
    await waitFor(async () => (await count("CASINO_DEAD")) === 1);
    await waitFor(async () => (await count("CASINO_TESTED")) === 1);
  });

  test("cuts the headers of a letter that would not fit", async () => {
    await start(passOn);
    await send("nonsense", { "X-First": "1", "X-Huge": "x".repeat(20_000), "X-Last": "1" });
    const [letter] = (await settled()).dead;
    expect(letter?.headers["X-First"]).toBe("1");
    expect(letter?.headers["X-Huge"]).toBeUndefined();
    expect(letter?.headers["Casino-Dead-Reason"]).toBe("invalid_json");
  });

  test("an event too large to be forwarded is set aside", async () => {
    const padding = "x".repeat(1024 * 1024);
    await start(async (batch) => batch.map(({ event }) => forward({ ...event, description: padding })));
    await send(raw(13));
    const { dead } = await settled();
    expect(dead.map((letter) => letter.headers["Casino-Dead-Reason"])).toEqual(["too_large"]);
  });

  test("what has to wait comes again, others pass it", async () => {
    let attempts = 0;
    await start(each((id) => (id === 20 && ++attempts < 3 ? later("not yet") : undefined)));
    for (const id of [20, 21, 22]) await send(raw(id));
    const { forwarded } = await settled();
    expect(forwarded.map((message) => JSON.parse(message.text).id)).toEqual([21, 22, 20]);
    expect(attempts).toBe(3);
  });

  test("reads each event for its client, and keeps the order while some are looked up", async () => {
    const asked: string[] = [];
    await start(passOn, (payload, client) => {
      asked.push(client);
      const decoded = decodeRaw(payload);
      return decoded.ok && decoded.event.id % 2 === 0 ? Promise.resolve(decoded) : decoded;
    });
    await Promise.all([1, 2, 3, 4].map((id) => send(raw(id), {}, `client-${id}`)));
    const { forwarded } = await settled();
    expect(forwarded.map(({ text }) => JSON.parse(text).id)).toEqual([1, 2, 3, 4]);
    expect(asked).toEqual(["client-1", "client-2", "client-3", "client-4"]);
  });

  test("what cannot be read now comes again, others pass it; what cannot be read at all is set aside", async () => {
    let away = true;
    await start(passOn, async (payload) => {
      const decoded = decodeRaw(payload);
      if (decoded.ok && decoded.event.id === 1 && away) throw new Unavailable("the types are away");
      return decoded;
    });
    await send(raw(1));
    await send(raw(2));
    await send("{}");
    await waitFor(async () => (await count("CASINO_TESTED")) === 1 && (await count("CASINO_DEAD")) === 1);
    // What was forwarded and what was set aside goes a moment later.
    await waitFor(async () => (await count("CASINO_RAW")) === 1);
    away = false;
    const { forwarded } = await settled();
    expect(forwarded.map(({ text }) => JSON.parse(text).id)).toEqual([2, 1]);
  });

  test("while something is away it holds its batch, raises no delivery count, and says so", async () => {
    let away = true;
    const run = await start(async (batch, context) => {
      if (away) throw new Unavailable("Postgres is away");
      return passOn(batch, context);
    });
    for (const id of [30, 31]) await send(raw(id));
    await waitFor(() => run.problem === "Postgres is away");
    const consumer = await jsm.consumers.info("CASINO_RAW", "test");
    expect(consumer.num_redelivered).toBe(0);
    away = false;
    expect((await settled()).forwarded).toHaveLength(2);
    expect(run.problem).toBeUndefined();
    expect(await count("CASINO_DEAD")).toBe(0);
  });

  test("an event that makes the step fail does not keep its batch-mates, and is set aside in the end", async () => {
    await start(async (batch) => {
      if (batch.some(({ event }) => event.id === 41)) throw new TypeError("a bug");
      return batch.map(({ event }) => forward(event));
    });
    for (const id of [40, 41, 42]) await send(raw(id));
    await waitFor(async () => (await count("CASINO_TESTED")) === 2);
    expect(await count("CASINO_DEAD")).toBe(0);
    const { dead } = await settled();
    expect(dead.map((letter) => letter.headers["Casino-Dead-Reason"])).toEqual(["max_deliveries"]);
    expect(dead[0]?.headers).toMatchObject({
      "Casino-Dead-Error": "The step test failed: a bug",
      "Casino-Dead-Deliveries": "5",
    });
  });

  test("failures on an event are counted over all processes, and not by its deliveries", async () => {
    let failures = 0;
    let laters = 0;
    const enrich = each((id) => {
      if (id !== 43) return undefined;
      if (laters < 1) return later(`not yet, ${++laters}`);
      failures++;
      throw new TypeError("a bug");
    });
    await start(enrich);
    await start(enrich);
    await send(raw(43));
    const { dead } = await settled();
    expect(dead.map((letter) => letter.headers["Casino-Dead-Deliveries"])).toEqual(["6"]);
    // Each time in its batch and then alone.
    expect(failures).toBe(10);
  });

  test("what is delivered for the first time costs no mark; what comes again leaves none behind", async () => {
    let away = true;
    await start(each((id) => (away && id === 44 ? later("not yet") : undefined)));
    const marks = async () => (await jsm.streams.info("KV_casino_in_hand")).state;
    for (let id = 100; id < 200; id++) await send(raw(id));
    await waitFor(async () => (await count("CASINO_TESTED")) === 100);
    expect((await marks()).last_seq).toBe(0);
    await send(raw(44));
    await waitFor(async () => (await marks()).last_seq > 0);
    away = false;
    await settled();
    await waitFor(async () => (await marks()).messages === 0);
  });

  test("goes on without marks where their bucket is out of reach", async () => {
    let attempts = 0;
    await start(each((id) => (id === 45 && ++attempts < 3 ? later("not yet") : undefined)));
    await jsm.streams.delete("KV_casino_in_hand");
    await jsm.streams.add({ name: "other", subjects: ["$KV.casino_in_hand.>"] });
    await send(raw(45));
    expect((await settled()).forwarded).toHaveLength(1);
  });

  test("a full next stage keeps events where they are until it has room", async () => {
    const run = await start(passOn);
    await jsm.streams.update("CASINO_TESTED", { max_msgs: 1 });
    for (const id of [50, 51]) await send(raw(id));
    await waitFor(() => run.problem !== undefined);
    expect(await count("CASINO_RAW")).toBe(1);
    await jsm.streams.update("CASINO_TESTED", { max_msgs: -1 });
    expect((await settled()).forwarded).toHaveLength(2);
    expect(await count("CASINO_DEAD")).toBe(0);
  });

  test("a stop hands back what it holds at once and sets nothing aside", async () => {
    const run = await start(async () => {
      throw new Unavailable("away for good");
    });
    for (const id of [60, 61]) await send(raw(id));
    await waitFor(() => run.problem !== undefined);
    await run.stop();
    expect(await count("CASINO_RAW")).toBe(2);
    expect(await count("CASINO_DEAD")).toBe(0);
    await start(passOn);
    expect((await settled()).forwarded).toHaveLength(2);
  });

  test("loses and doubles nothing with two runs, stops in the middle and a killed server", {
    timeout: 120_000,
  }, async () => {
    const first = await start(passOn);
    await start(passOn);
    const sending = Promise.all(Array.from({ length: 10_000 }, (_, i) => send(raw(1_000 + i))));
    await waitFor(async () => (await count("CASINO_TESTED")) > 500);
    await first.stop();
    await start(passOn);
    await server.kill();
    await server.start();
    await sending;
    await waitFor(async () => (await count("CASINO_TESTED")) >= 10_000 && (await count("CASINO_RAW")) === 0, {
      timeout: 100_000,
    });
    expect(await count("CASINO_TESTED")).toBe(10_000);
    expect(await count("CASINO_DEAD")).toBe(0);
  });
});
