import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { waitFor } from "../../../test/harness/wait-for.ts";
import { splitRaw } from "../../messages/raw-message.ts";
import { EventBatchSchema, EventSchema } from "../../protobuf/event_pb.ts";
import { deposit, emptyRaw, gatewayForTest, storedMessages } from "../gateway.fixture.ts";
import { body, postingForTest } from "./post-events.fixture.ts";

const { db, jsm, key, poster, server, stored } = await postingForTest();

const ndjson = "application/x-ndjson";
const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => deposit(from + i));
const note = (id: number, text: string) => ({
  id,
  type: "note",
  created_at: "2022-03-03T12:12:00Z",
  data: { text },
});
const lines = (events: readonly object[]) => events.map((event) => JSON.stringify(event)).join("\n");

/** Each message as its type and its events' ids, read as the first step reads it. */
async function messages() {
  return (await storedMessages(jsm)).map(({ events, header }) => {
    const type = header("Content-Type");
    const read = splitRaw(Buffer.from(events.join("\n")), type);
    if ("reason" in read) throw new Error(read.because);
    return [type, read.map((bytes) => JSON.parse(Buffer.from(bytes).toString()).id)];
  });
}

/** The ids of all events, in the order of the stream. */
const ids = async () => (await messages()).flatMap(([, ids]) => ids);

describe("what a request accepts travels in one message", () => {
  const event = (id: number) =>
    create(EventSchema, {
      id: BigInt(id),
      playerId: 12n,
      type: "deposit",
      amount: 10_000n,
      currency: "EUR",
      createdAt: { seconds: 1_646_309_520n, nanos: 0 },
    });
  const batch = create(EventBatchSchema, { events: [event(1), create(EventSchema), event(2), event(3)] });
  const some = [deposit(1), {}, deposit(2), deposit(3)];
  test.each<[string, string | Buffer, string]>([
    ["an array", JSON.stringify(some), "application/json"],
    ["an array over many lines", JSON.stringify(some, null, 2), "application/json"],
    ["lines", lines(some), ndjson],
    ["an EventBatch", Buffer.from(toBinary(EventBatchSchema, batch)), "application/x-protobuf"],
  ])("of %s, in its order, and what it refuses does not", async (_what, payload, type) => {
    const post = await poster();
    // A body of lines pauses for others after some milliseconds: on a busy machine that may be between these.
    await waitFor(async () => {
      await emptyRaw(jsm);
      const answer = await post(payload, type);
      expect(answer).toMatchObject({ status: 207, body: { accepted: 3, rejected: [{ index: 1 }] } });
      return (await messages()).length === 1;
    });
    expect(await messages()).toEqual([[ndjson, [1, 2, 3]]]);
    expect((await stored()).map(({ body }) => body)).toEqual([body(1), body(2), body(3)]);
  });

  test("line breaks in an event make no lines, and numbers stay as they are", async () => {
    const data = '{"text":"a\\nb\\r\\n\\u2028c","share":0.1,"most":9007199254740991,"small":1e-7}';
    const sent = `[\n{"id":1,"type":"note","created_at":"2022-03-03T12:12:00Z",\n"data":${data}},${JSON.stringify(note(2, ""))}]`;
    expect(await (await poster())(sent)).toMatchObject({ status: 202 });
    expect(await messages()).toEqual([[ndjson, [1, 2]]]);
    expect((await stored())[0]?.body).toContain('"share":0.1,"most":9007199254740991,"small":1e-7}');
  });

  test("one event travels as it is, also out of an array and as a line", async () => {
    const post = await poster();
    await post(JSON.stringify(deposit(1)));
    await post(JSON.stringify([deposit(2)]));
    await post(lines([deposit(3)]), ndjson);
    await post(JSON.stringify([deposit(4), {}]));
    expect(await messages()).toEqual([
      ["", [1]],
      ["", [2]],
      ["", [3]],
      ["", [4]],
    ]);
  });

  test("more than a message may have travel in several", async () => {
    const post = await poster();
    const large = Array.from({ length: 10 }, (_, i) => note(i + 1, "x".repeat(100_000)));
    expect(await post(JSON.stringify(large))).toMatchObject({ status: 202, body: { accepted: 10 } });
    expect(await post(lines(range(11, 3_010)), ndjson)).toMatchObject({
      status: 202,
      body: { accepted: 3_000 },
    });
    // Long work pauses for others, so how many messages it makes is not for certain; what they may be is.
    const all = await storedMessages(jsm);
    for (const { events } of all) {
      expect(events.length).toBeLessThanOrEqual(1_000);
      expect(Buffer.byteLength(events.join("\n"))).toBeLessThan(960 * 1024);
    }
    expect(all.length).toBeGreaterThanOrEqual(5);
    expect(all.length).toBeLessThan(1_000);
    expect(await ids()).toEqual(Array.from({ length: 3_010 }, (_, i) => i + 1));
  });

  test("each by itself where several may not travel together", async () => {
    const { app } = await gatewayForTest(server, db, { bundles: () => false });
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
    await app.inject({ method: "POST", url: "/events", headers, payload: JSON.stringify(range(1, 3)) });
    expect(await messages()).toEqual([
      ["", [1]],
      ["", [2]],
      ["", [3]],
    ]);
  });
});

describe("requests of one key that come in the same turn", () => {
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

  test("share messages, and each is answered for its own event", async () => {
    const post = await poster();
    await post(JSON.stringify(deposit(1_000)));
    const answers = await Promise.all(
      range(1, 50).map((event) => post(JSON.stringify(event.id % 5 === 0 ? { id: event.id } : event))),
    );
    expect(answers.map(({ status, body }) => [status, body.accepted])).toEqual(
      range(1, 50).map(({ id }) => (id % 5 === 0 ? [400, 0] : [202, 1])),
    );
    const [, ...together] = await messages();
    expect(together.length).toBeLessThan(40);
    expect(together.flatMap(([, ids]) => ids).toSorted((a, b) => a - b)).toEqual(
      range(1, 50).flatMap(({ id }) => (id % 5 === 0 ? [] : [id])),
    );
  });

  test("keep a trace that they bring", async () => {
    const post = await poster();
    await Promise.all(
      range(1, 10).map((event) =>
        post(JSON.stringify(event), "application/json", event.id === 5 ? { traceparent } : {}),
      ),
    );
    const traces = new Map(
      (await stored()).map(({ body, traceparent: trace }) => [JSON.parse(body).id, trace]),
    );
    expect([...traces].filter(([, trace]) => trace === traceparent)).toEqual([[5, traceparent]]);
  });
});

describe("bad bodies", () => {
  test("480,000 events of one byte are refused as an array, and counted as lines", async () => {
    const post = await poster();
    const count = 480_000;
    const array = await post(`[${Array(count).fill(1)}]`);
    expect(array).toMatchObject({
      status: 413,
      body: { detail: expect.stringMatching(/^The body holds more than 1000 events/) },
    });
    const asLines = await post("1\n".repeat(count) + lines(range(1, 2)), ndjson);
    expect(asLines).toMatchObject({ status: 207, body: { accepted: 2, rejected_total: count } });
    expect(asLines.body.rejected).toHaveLength(1_000);
    expect(await ids()).toEqual([1, 2]);
  }, 30_000);

  test("an event too large for a message is refused in its place, and the others are taken", async () => {
    const large = note(2, "x".repeat(1_000_000));
    const answer = await (await poster())(JSON.stringify([deposit(1), large, deposit(3)]));
    expect(answer).toMatchObject({ status: 207, body: { accepted: 2, rejected: [{ index: 1 }] } });
    expect(await ids()).toEqual([1, 3]);
  });
});
