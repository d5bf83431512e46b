import { create, toBinary } from "@bufbuild/protobuf";
import { beforeEach, describe, expect, test } from "vitest";
import { connectForTest } from "../../test/harness/broker.ts";
import { natsForTest } from "../../test/harness/infrastructure.ts";
import { EventBatchSchema, EventSchema } from "../protobuf/event_pb.ts";
import { databaseOfFile, deposit, emptyRaw, gatewayForTest, keyFor } from "./gateway.fixture.ts";

const server = await natsForTest();
const { jsm } = await connectForTest(server);
const db = await databaseOfFile();
const key = await keyFor(db, "till-1");

beforeEach(() => emptyRaw(jsm));

async function poster() {
  const { app } = await gatewayForTest(server, db);
  return async (
    payload: string | Buffer,
    contentType = "application/json",
    more: Record<string, string> = {},
  ) => {
    const headers = { authorization: `Bearer ${key}`, "content-type": contentType, ...more };
    const response = await app.inject({ method: "POST", url: "/events", headers, payload });
    return {
      status: response.statusCode,
      type: response.headers["content-type"],
      headers: response.headers,
      body: response.json(),
    };
  };
}

/** What the stream holds, in its order. */
async function stored() {
  const { messages, last_seq } = (await jsm.streams.info("CASINO_RAW")).state;
  const all = [];
  for (let seq = last_seq - messages + 1; seq <= last_seq; seq++) {
    const message = await jsm.streams.getMessage("CASINO_RAW", { seq });
    all.push({
      subject: message?.subject,
      body: message?.string(),
      id: message?.header.get("Nats-Msg-Id"),
      source: message?.header.get("Casino-Source"),
      traceparent: message?.header.get("traceparent"),
    });
  }
  return all;
}

const body = (id: number) =>
  `{"id":${id},"player_id":12,"type":"deposit","amount":10000,"currency":"EUR","created_at":"2022-03-03T12:12:00.000Z"}`;

describe("one event", () => {
  test("is stored under its client and source, in the form of the pipeline, once the answer is there", async () => {
    const post = await poster();
    const sent = {
      ...deposit(7),
      unknown: 1,
      game_id: 3,
      has_won: true,
      created_at: "2022-03-03T13:12:00.0009+01",
    };
    expect(await post(JSON.stringify(sent))).toMatchObject({
      status: 202,
      type: "application/json; charset=utf-8",
      body: { accepted: 1, duplicates: 0, rejected: [] },
    });
    expect(await stored()).toEqual([
      {
        subject: "casino.event.raw.casino",
        body: body(7),
        id: "casino:till-1:7:raw",
        source: "till-1",
        traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/),
      },
    ]);
  });

  test("sent again is a duplicate", async () => {
    const post = await poster();
    await post(JSON.stringify(deposit(1)));
    expect(await post(JSON.stringify(deposit(1)))).toMatchObject({
      status: 202,
      body: { accepted: 0, duplicates: 1, rejected: [] },
    });
    expect(await stored()).toHaveLength(1);
  });

  test.each([
    ["{}", "/type"],
    ['{"id":1}', "/type"],
    [JSON.stringify(deposit(1, { amount: "5" })), "/amount"],
    [JSON.stringify(deposit(1, { created_at: "2022-02-30T00:00:00Z" })), "/created_at"],
    [JSON.stringify(deposit(1, { type: "unheard_of" })), "/type"],
    ["null", ""],
    ["5", ""],
    ['"text"', ""],
  ])("that is invalid is a problem that says where: %s", async (payload, path) => {
    const answer = await (await poster())(payload);
    expect(answer).toMatchObject({
      status: 400,
      type: "application/problem+json",
      body: { type: "about:blank", title: "Bad Request", status: 400, accepted: 0, duplicates: 0 },
    });
    expect(answer.body.rejected).toEqual([
      { index: 0, errors: expect.arrayContaining([{ path, message: expect.any(String) }]) },
    ]);
    expect(await stored()).toEqual([]);
  });
});

describe("an array", () => {
  test("is taken as far as it is valid, answered item by item, duplicates within it counted", async () => {
    const post = await poster();
    const events = [deposit(1), deposit(2, { amount: "x" }), deposit(1), [deposit(3)], deposit(4)];
    const answer = await post(JSON.stringify(events));
    expect(answer).toMatchObject({ status: 207, type: "application/json; charset=utf-8" });
    expect(answer.body).toEqual({
      accepted: 2,
      duplicates: 1,
      rejected: [
        { index: 1, errors: [{ path: "/amount", message: "must be integer" }] },
        { index: 3, errors: [{ path: "", message: "must be object" }] },
      ],
    });
    expect((await stored()).map(({ body }) => body)).toEqual([body(1), body(4)]);
  });

  test("of duplicates and invalid events is no failure as a whole", async () => {
    const post = await poster();
    await post(JSON.stringify(deposit(1)));
    expect(await post(JSON.stringify([deposit(1), {}]))).toMatchObject({
      status: 207,
      body: { accepted: 0, duplicates: 1, rejected: [{ index: 1 }] },
    });
  });

  test("of 1000 is taken, of 1001 refused as a whole, of none refused", async () => {
    const post = await poster();
    const events = Array.from({ length: 1_001 }, (_, i) => deposit(i + 1));
    expect(await post(JSON.stringify(events))).toMatchObject({
      status: 413,
      body: { detail: expect.stringMatching(/^The body holds 1001 events, and at most 1000 are taken/) },
    });
    expect(await stored()).toEqual([]);
    expect(await post(JSON.stringify(events.slice(1)))).toMatchObject({
      status: 202,
      body: { accepted: 1_000 },
    });
    expect(await post("[]")).toMatchObject({ status: 400, body: { detail: "The body holds no event." } });
  });

  test("of custom events is checked against their types", async () => {
    const note = (id: number, data: unknown) => ({
      id,
      type: "note",
      created_at: "2022-03-03T12:12:00Z",
      data,
    });
    const answer = await (await poster())(
      JSON.stringify([note(1, { text: "x" }), note(2, { text: 5 }), note(3, 1)]),
    );
    expect(answer).toMatchObject({ status: 207, body: { accepted: 1 } });
    expect(answer.body.rejected).toEqual([
      { index: 1, errors: [{ path: "/data/text", message: "must be string" }] },
      { index: 2, errors: [{ path: "/data", message: "must be object" }] },
    ]);
  });
});

describe("size", () => {
  const note = (id: number, bytes: number) =>
    JSON.stringify({
      id,
      type: "note",
      created_at: "2022-03-03T12:12:00Z",
      data: { text: "x".repeat(bytes) },
    });

  test("an event that the stream cannot hold is refused by itself", async () => {
    const post = await poster();
    const limit = 960 * 1024;
    for (const bytes of [limit, limit - 120]) {
      const answer = await post(`[${note(1, bytes)}, ${JSON.stringify(deposit(2))}]`);
      expect(answer).toMatchObject({ status: 207, body: { accepted: 1 } });
      expect(answer.body.rejected).toEqual([
        {
          index: 0,
          errors: [{ path: "", message: "must be at most 983040 bytes as JSON, headers included" }],
        },
      ]);
      await emptyRaw(jsm);
    }
    expect(await post(note(3, limit - 400))).toMatchObject({ status: 202 });
  });

  test("a body of more than 1 MiB is refused, its length announced or not", async () => {
    const { origin } = await gatewayForTest(server, db);
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
    const large = Buffer.from(note(1, 2 ** 21));
    const streamed = new Blob([large]).stream();
    for (const request of [{ body: large }, { body: streamed, duplex: "half" as const }]) {
      const response = await fetch(`${await origin()}/events`, { method: "POST", headers, ...request });
      expect(response.status).toBe(413);
      expect(await response.json()).toMatchObject({
        detail: expect.stringMatching(/^The body is larger than 1 MiB/),
      });
    }
  });
});

describe("the trace", () => {
  const given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

  test("of a request is continued by all its events, and one that is none is replaced", async () => {
    const post = await poster();
    await post(JSON.stringify([deposit(1), deposit(2)]), "application/json", { traceparent: given });
    await post(JSON.stringify(deposit(3)), "application/json", { traceparent: `${given}-x` });
    const traces = (await stored()).map(({ traceparent }) => traceparent);
    expect(traces.slice(0, 2)).toEqual([given, given]);
    expect(traces[2]).toMatch(/^00-(?!0af765)[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  });
});

describe("what cannot be read", () => {
  test.each([
    ["", "The body is not JSON in UTF-8."],
    ["{", "The body is not JSON in UTF-8."],
    ['[{"id":1},]', "The body is not JSON in UTF-8."],
    [Buffer.from([0x22, 0xff, 0x22]), "The body is not JSON in UTF-8."],
    ["[".repeat(500_000), "The body is not JSON in UTF-8."],
  ])("is a problem: %#", async (payload, detail) => {
    expect(await (await poster())(payload)).toMatchObject({
      status: 400,
      type: "application/problem+json",
      body: { detail },
    });
  });

  test.each([
    "text/plain",
    "application/jsonx",
    "application/json, text/plain",
    "nonsense",
    "multipart/form-data",
  ])("the Content-Type %s is not taken", async (contentType) => {
    expect(await (await poster())("{}", contentType)).toMatchObject({
      status: 415,
      type: "application/problem+json",
    });
  });

  test("a Content-Type may have parameters and capitals; a missing or compressed one is refused", async () => {
    const post = await poster();
    expect(await post(JSON.stringify(deposit(1)), "Application/JSON; charset=utf-8")).toMatchObject({
      status: 202,
    });
    expect(
      await post(JSON.stringify(deposit(2)), "application/json", { "content-encoding": "gzip" }),
    ).toMatchObject({
      status: 415,
      headers: { "accept-encoding": "identity" },
      body: { detail: "The body must not be compressed: send it without Content-Encoding." },
    });
    const { app } = await gatewayForTest(server, db);
    const headers = { authorization: `Bearer ${key}` };
    const bare = await app.inject({ method: "POST", url: "/events", headers, payload: Buffer.from("{}") });
    expect(bare.statusCode).toBe(415);
    expect(bare.headers["accept-post"]).toBe(
      "application/json, application/x-ndjson, application/x-protobuf",
    );
  });
});

describe("protobuf", () => {
  const event = (id: number) =>
    create(EventSchema, {
      id: BigInt(id),
      playerId: 12n,
      type: "deposit",
      amount: 10_000n,
      currency: "EUR",
      createdAt: { seconds: 1_646_309_520n, nanos: 0 },
    });
  const type = "application/x-protobuf";

  test("is stored like JSON, one event or a batch", async () => {
    const post = await poster();
    expect(await post(Buffer.from(toBinary(EventSchema, event(1))), type)).toMatchObject({
      status: 202,
      body: { accepted: 1, duplicates: 0, rejected: [] },
    });
    const batch = create(EventBatchSchema, { events: [event(1), event(2), create(EventSchema, { id: 3n })] });
    expect(await post(Buffer.from(toBinary(EventBatchSchema, batch)), type)).toMatchObject({
      status: 207,
      body: { accepted: 1, duplicates: 1, rejected: [{ index: 2 }] },
    });
    expect((await stored()).map(({ body }) => body)).toEqual([body(1), body(2)]);
  });

  test("that is none is a problem", async () => {
    const post = await poster();
    expect(await post(Buffer.from("{}"), type)).toMatchObject({
      status: 400,
      body: { detail: "The body is neither an Event nor an EventBatch of proto/event.proto." },
    });
    expect(await post(Buffer.alloc(0), type)).toMatchObject({
      status: 400,
      body: { rejected: [{ index: 0 }] },
    });
  });
});
