import { connect, type Msg, type NatsConnection } from "nats";
import pino from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { natsForTest } from "../../test/harness/infrastructure.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { Fold } from "./fold.ts";
import { startMaterializedService } from "./nats-service.ts";
import { answer, parseQuery } from "./query.ts";
import type { Coverage } from "./replay.ts";

const server = await natsForTest();
const now = Date.UTC(2022, 0, 10);
const log = pino({ level: "silent" });
let nc: NatsConnection;
let fold: Fold;
let covered: Coverage | undefined;
let caughtUp: boolean;
let stop: () => Promise<void>;

beforeEach(async () => {
  nc = await connect({ servers: server.url, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
  fold = new Fold();
  const bet = { client: "casino", source: "nats", type: "bet", playerId: 10, hasWon: true, storedAt: now };
  for (const id of [1, 2, 3]) fold.apply({ ...bet, id });
  covered = undefined;
  caughtUp = true;
  const coverage = () => covered;
  stop = startMaterializedService({
    nc,
    fold,
    log,
    version: "1.2.3",
    coverage,
    caughtUp: () => caughtUp,
    now: () => now,
  });
});

afterEach(async () => {
  await stop();
  await nc.close();
});

const ask = (body: string | Uint8Array = "") => nc.request("casino.materialized", body, { timeout: 30_000 });

describe("requests", () => {
  test("get a 503 while the figures are made anew", async () => {
    caughtUp = false;
    const reply = await ask();
    expect(reply.headers?.get("Nats-Service-Error-Code")).toBe("503");
    expect(reply.headers?.get("Nats-Service-Error")).toBe(
      "The figures are being rebuilt; they are there soon.",
    );
    caughtUp = true;
    expect((await ask()).json()).toMatchObject({ events_total: 3 });
  });

  test.each([
    ["", {}],
    [" \n", {}],
    ["{}", {}],
    ['{"window_size":10,"top":3,"client_id":"casino"}', { window_size: 10, top: 3, client_id: "casino" }],
    ['{"window_size":"10"}', { window_size: 10 }],
    ['{"client_id":"nobody","other":1}', { client_id: "nobody" }],
  ])("%j gets the answer of the query function", async (body, parameters) => {
    const reply = await ask(body);
    expect(reply.string()).toBe(answer(fold, parseQuery(parameters), now));
    expect(reply.headers?.get("Nats-Service-Error-Code") ?? "").toBe("");
  });

  test.each([
    ['{"window_size":0}', "window_size must be an integer from 1 to 3600, not 0."],
    ['{"client_id":"A B"}', 'client_id must be 1 to 40 lower-case letters, digits and hyphens, not "A B".'],
    ["[]", "The body must be empty or a JSON object."],
    ["null", "The body must be empty or a JSON object."],
    ["60", "The body must be empty or a JSON object."],
    ["{", "The body must be empty or a JSON object."],
    [Uint8Array.of(255), "The body must be empty or a JSON object."],
  ])("%j gets a 400 with a sentence", async (body, sentence) => {
    const reply = await ask(body);
    expect(reply.headers?.get("Nats-Service-Error-Code")).toBe("400");
    expect(reply.headers?.get("Nats-Service-Error")).toBe(sentence);
    expect(reply.data).toHaveLength(0);
  });

  test("a value with line breaks or other alphabets does not break the headers of the reply", async () => {
    const reply = await ask(JSON.stringify({ client_id: "a\r\nNats-Service-Error-Code: 200\r\n", top: "ü" }));
    expect(reply.headers?.values("Nats-Service-Error-Code")).toEqual(["400"]);
    expect(reply.headers?.get("Nats-Service-Error")).toContain("client_id must be");
  });

  test("are shared by several materializers: one reply each", async () => {
    const stopOther = startMaterializedService({ nc, fold, log, version: "1.2.3", now: () => now });
    try {
      const replies = await collect("casino.materialized", 10);
      expect(replies).toHaveLength(10);
    } finally {
      await stopOther();
    }
  });

  test("are answered again after NATS was killed and came back", async () => {
    await server.kill();
    await server.start();
    const reply = await waitFor(() => ask());
    expect(reply.json()).toMatchObject({ events_total: 3 });
  });
});

/** All replies to some requests. The round trips suffice, because server and service handle a connection's messages in order. */
async function collect(subject: string, requests: number): Promise<Msg[]> {
  const replies: Msg[] = [];
  const inbox = `_INBOX.${subject}`;
  const subscription = nc.subscribe(inbox, {
    callback: (_err, reply) => {
      const nobodyThere = reply.headers?.code === 503;
      if (!nobodyThere) replies.push(reply);
    },
  });
  for (let i = 0; i < requests; i++) nc.publish(subject, "", { reply: inbox });
  await nc.flush();
  await nc.flush();
  subscription.unsubscribe();
  return replies;
}

describe("discovery", () => {
  async function discover(verb: string) {
    const [reply, ...others] = await collect(`$SRV.${verb}`, 1);
    expect(others).toEqual([]);
    return reply?.json<{ id: string; started: string; endpoints: Record<string, number>[] }>();
  }

  test("PING, INFO and STATS answer to all, to the name and to the instance", async () => {
    const ping = await discover("PING");
    expect(ping).toEqual({
      type: "io.nats.micro.v1.ping_response",
      name: "casino-materializer",
      id: expect.stringMatching(/^\w+$/),
      version: "1.2.3",
      metadata: {},
    });
    for (const tail of [".casino-materializer", `.casino-materializer.${ping?.id}`])
      expect(await discover(`PING${tail}`)).toEqual(ping);

    const info = await discover("INFO");
    expect(info).toEqual({
      ...ping,
      type: "io.nats.micro.v1.info_response",
      description: expect.any(String),
      endpoints: [
        { name: "materialized", subject: "casino.materialized", queue_group: "materializer", metadata: {} },
      ],
    });
    expect(await discover(`INFO.casino-materializer.${ping?.id}`)).toEqual(info);
    expect(await discover("STATS.casino-materializer")).toMatchObject({
      id: ping?.id,
      type: "io.nats.micro.v1.stats_response",
    });
  });

  test("STATS tells what has been counted, and of what", async () => {
    const data = async () => (await discover("STATS"))?.endpoints[0]?.data;
    expect(await data()).toBeUndefined();
    covered = { since: now, first: 2 };
    const since = new Date(now).toISOString();
    expect(await data()).toEqual({ events_total: 3, since, events_at_since: 2 });
    covered = { since: now, first: undefined };
    expect(await data()).toEqual({ events_total: 3, since, events_at_since: null });
  });

  test("STATS counts requests, errors and nanoseconds", async () => {
    const before = await discover("STATS");
    expect(before?.endpoints).toEqual([
      {
        name: "materialized",
        subject: "casino.materialized",
        queue_group: "materializer",
        num_requests: 0,
        num_errors: 0,
        processing_time: 0,
        average_processing_time: 0,
      },
    ]);
    expect(new Date(before?.started ?? "").toISOString()).toBe(before?.started);
    await ask();
    await ask("[]");
    const after = await discover("STATS");
    expect(after?.endpoints).toMatchObject([
      {
        num_requests: 2,
        num_errors: 1,
        last_error: "400:The body must be empty or a JSON object.",
      },
    ]);
    const { processing_time = 0, average_processing_time } = after?.endpoints[0] ?? {};
    expect(processing_time).toBeGreaterThan(0);
    expect(processing_time).toBeLessThan(2e9);
    expect(average_processing_time).toBe(Math.round(processing_time / 2));
  });

  test("is silent after the end", async () => {
    await stop();
    expect(await collect("$SRV.PING", 1)).toEqual([]);
  });
});
