import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, expect, test } from "vitest";
import { connectForTest } from "../../test/harness/broker.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { deposit, emptyRaw, gatewaysOfFile, keyFor, storedMessages } from "./gateway.fixture.ts";

const { server, db, openGateway } = await gatewaysOfFile();
const { jsm } = await connectForTest(server);

beforeEach(async () => {
  await server.start();
  await waitFor(() => emptyRaw(jsm).then(() => true));
});

interface Answer {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly accepted: number;
  readonly rejected: readonly unknown[];
  readonly detail?: string;
}

async function sender(origin: string, source: string) {
  const key = await keyFor(db, source);
  return async (events: readonly unknown[], lines = false): Promise<Answer> => {
    const response = await fetch(`${origin}/events`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${key}`,
        "content-type": lines ? "application/x-ndjson" : "application/json",
      },
      body: lines ? events.map((event) => `${JSON.stringify(event)}\n`).join("") : JSON.stringify(events),
    });
    const body = JSON.parse(await response.text());
    return { status: response.status, retryAfter: response.headers.get("retry-after"), ...body };
  };
}

const range = (from: number, count: number) => Array.from({ length: count }, (_, i) => deposit(from + i));

/** The events in the stream, by source and id. */
async function storedIds(): Promise<string[]> {
  return (await storedMessages(jsm)).flatMap(({ events, header }) =>
    events.map((event) => `${header("Casino-Source")}:${JSON.parse(event).id}`),
  );
}

test("four senders at once: every answer counts exactly what the stream then holds", async () => {
  const { origin } = await openGateway();
  const url = await origin();
  const each = 5_000;
  // A twentieth is invalid.
  const totals = await Promise.all(
    ["a", "b", "c", "d"].map(async (source, nth) => {
      const send = await sender(url, source);
      const events = range(1, each).map((event) => (event.id % 20 === 0 ? { ...event, amount: -1 } : event));
      const sums = { accepted: 0, rejected: 0 };
      const size = [1, 100, 1_000, 5_000][nth] ?? 1;
      const upTo = size === 1 ? 500 : events.length;
      for (let i = 0; i < upTo; i += size) {
        const answer = await send(events.slice(i, Math.min(i + size, upTo)), size === 5_000);
        sums.accepted += answer.accepted;
        sums.rejected += answer.rejected.length;
      }
      const sent = events.slice(0, upTo);
      const valid = sent.filter((event) => event.amount !== -1).map((event) => event.id);
      expect(sums).toEqual({
        accepted: valid.length,
        rejected: sent.length - valid.length,
      });
      return sums.accepted;
    }),
  );
  const ids = await storedIds();
  expect(ids).toHaveLength(totals.reduce((sum, accepted) => sum + accepted, 0));
  expect(new Set(ids).size).toBe(ids.length);
});

test("NATS killed and started again under load: what was accepted is there", async () => {
  const { origin } = await openGateway();
  const url = await origin();
  const stopAt = performance.now() + 60_000;
  let done = false;
  const acceptedBy = new Set<string>();
  const work = ["a", "b", "c", "d"].map(async (source, nth) => {
    const send = await sender(url, source);
    const size = [1, 20, 200, 1_000][nth] ?? 1;
    let [id, answered] = [1, 0];
    while (!done && performance.now() < stopAt) {
      const events = range(id, size);
      const { status, retryAfter, accepted, detail } = await send(events, nth === 3);
      expect([202, 503]).toContain(status);
      if (status === 202) {
        expect(accepted).toBe(size);
        id += size;
        answered += size;
        acceptedBy.add(source);
      } else {
        expect(retryAfter).toBe("2");
        expect(detail).toContain("Send all of them again");
        expect(accepted).toBeLessThan(size);
      }
    }
    return { source, answered };
  });
  for (let i = 0; i < 3; i++) {
    await sleep(300); // some load in between
    await server.kill();
    await server.start();
  }
  // Everybody goes on after the last restart too.
  acceptedBy.clear();
  await waitFor(() => acceptedBy.size === 4);
  done = true;
  const results = await Promise.all(work);
  // The test's own connection may still be on its way back.
  const ids = await waitFor(() => storedIds());
  const stored = new Set(ids);
  for (const { source, answered } of results) {
    expect(answered).toBeGreaterThan(0);
    const lost = range(1, answered).filter(({ id }) => !stored.has(`${source}:${id}`));
    expect(lost).toEqual([]);
  }
});

test("while NATS is away the answer is 503 within the patience, at once when too much waits; then all is well", async () => {
  const { origin } = await openGateway({ limits: { patienceMs: 500 }, mostInFlight: 10 });
  const send = await sender(await origin(), "away");
  expect((await send(range(1, 1))).status).toBe(202);
  await server.kill();
  const began = performance.now();
  const answers = await Promise.all([
    send(range(2, 1)),
    send(range(3, 100)),
    send(range(200, 5_000), true),
    send([{ id: 1 }, ...range(6_000, 1)]),
  ]);
  expect(performance.now() - began).toBeLessThan(20_000);
  for (const answer of answers)
    expect(answer).toMatchObject({ status: 503, retryAfter: "2", title: "Service Unavailable", accepted: 0 });
  await server.start();
  await waitFor(async () => (await send(range(2, 1))).status === 202);
  expect(await send(range(1, 200))).toMatchObject({ status: 202 });
});

test("a full stream is a 503 that says how many events were stored; when there is room again all is well", async () => {
  const { app, origin } = await openGateway();
  const send = await sender(await origin(), "full");
  const readiness = async () => {
    const { statusCode, json } = await app.inject("/readyz");
    return { status: statusCode, warnings: json().warnings };
  };
  expect(await readiness()).toEqual({ status: 200, warnings: undefined });
  await emptyRaw(jsm, { max_msgs: 2 });
  expect(await send(range(1, 4))).toMatchObject({ status: 202, accepted: 4 });
  // Nine of these fill a message at most, fewer where the gateway had to make a pause; the others are in the next one.
  const large = range(5, 10).map((event) => ({
    ...event,
    type: "note",
    data: { text: "x".repeat(100_000) },
  }));
  const refused = await send([...large, { id: 99 }]);
  expect(refused).toMatchObject({ status: 503, retryAfter: "2" });
  const { accepted } = refused;
  expect(accepted).toBeGreaterThanOrEqual(1);
  expect(accepted).toBeLessThanOrEqual(9);
  expect(refused.detail).toBe(
    `The queue of events is full: ${accepted === 1 ? "1 event is" : `${accepted} events are`} known to be stored. ` +
      "Send all of them again in a moment: an event is final once, however often it is sent.",
  );
  // Taking every gateway out of service would help nobody.
  expect(await readiness()).toEqual({
    status: 200,
    warnings: [expect.stringMatching(/^the queue of raw events was full/)],
  });
  expect(await send(range(100, 3_000), true)).toMatchObject({ status: 503, accepted: 0 });
  await jsm.streams.purge("CASINO_RAW", { keep: 1 });
  expect(await send(range(1_000, 5))).toMatchObject({ status: 202, accepted: 5 });
  expect(await send(range(2_000, 1))).toMatchObject({ status: 503, accepted: 0 });
});

test("a missing stream is a 503, not a wait", async () => {
  const { origin } = await openGateway();
  const send = await sender(await origin(), "missing");
  await jsm.streams.delete("CASINO_RAW");
  expect(await send(range(1, 3))).toMatchObject({ status: 503, accepted: 0 });
});

test("registered types that cannot be read are a 503, and events of other types are stored", async () => {
  const { origin } = await openGateway({
    types: {
      decode: (_client, read) =>
        read((type) => {
          throw new Error(`unreadable: ${type}`);
        }),
    },
  });
  const send = await sender(await origin(), "types");
  const answer = await send([deposit(1), { ...deposit(2), type: "note", data: {} }]);
  expect(answer).toMatchObject({ status: 503, accepted: 1 });
  expect(answer.detail).toMatch(
    /^The registered event types cannot be read: 1 event is known to be stored\./,
  );
});
