import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { natsForTest } from "../../../test/harness/infrastructure.ts";
import { tempFolder } from "../../../test/harness/temp-folder.ts";
import { EventBatchSchema, EventSchema } from "../../protobuf/event_pb.ts";
import { deposit, emptyRaw, gatewayForTest } from "../gateway.fixture.ts";
import { body, postingForTest } from "./post-events.fixture.ts";

const { db, jsm, key, poster, server, stored } = await postingForTest();

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

  test("an event that a server with a smaller max_payload cannot take is refused by itself, with that limit", async () => {
    const dir = tempFolder("small-payload");
    const config = join(dir, "nats.conf");
    writeFileSync(config, "max_payload: 64KB\njetstream { store_dir: $NATS_STORE_DIR }");
    const { app } = await gatewayForTest(await natsForTest({ dir, config }), db);
    const answer = await app.inject({
      method: "POST",
      url: "/events",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      payload: `[${note(1, 70_000)}, ${JSON.stringify(deposit(2))}]`,
    });
    expect(answer.statusCode).toBe(207);
    const message = "must be at most 65536 bytes as JSON, headers included";
    expect(answer.json()).toEqual({
      accepted: 1,
      rejected: [{ index: 0, errors: [{ path: "", message }] }],
    });
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

  test("a Content-Type may have parameters and capitals; a missing one is refused", async () => {
    const post = await poster();
    expect(await post(JSON.stringify(deposit(1)), "Application/JSON; charset=utf-8")).toMatchObject({
      status: 202,
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
      body: { accepted: 1, rejected: [] },
    });
    const batch = create(EventBatchSchema, { events: [event(1), event(2), create(EventSchema, { id: 3n })] });
    expect(await post(Buffer.from(toBinary(EventBatchSchema, batch)), type)).toMatchObject({
      status: 207,
      body: { accepted: 2, rejected: [{ index: 2 }] },
    });
    expect((await stored()).map(({ body }) => body)).toEqual([body(1), body(1), body(2)]);
  });

  test("with a wrapped amount is refused, and the rest of its batch is not", async () => {
    const post = await poster();
    const bad = Buffer.concat([toBinary(EventSchema, event(2)), Buffer.from("2a0408b0ea01", "hex")]);
    const parts = [toBinary(EventSchema, event(1)), bad].flatMap((one) => [
      Buffer.from([0x82, 0x01, one.length]),
      one,
    ]);
    expect(await post(Buffer.concat(parts), type)).toMatchObject({
      status: 207,
      body: {
        accepted: 1,
        rejected: [{ index: 1, errors: [{ path: "/amount", message: "must be an int64 on the wire" }] }],
      },
    });
  });

  test("that is none is a problem", async () => {
    const post = await poster();
    expect(await post(Buffer.from("{}"), type)).toMatchObject({
      status: 400,
      body: { rejected: [{ index: 0, errors: [{ path: "", message: "must be a whole protobuf Event" }] }] },
    });
    expect(await post(Buffer.from("820105", "hex"), type)).toMatchObject({
      status: 400,
      body: { detail: "The body is neither an Event nor an EventBatch of proto/event.proto." },
    });
    expect(await post(Buffer.alloc(0), type)).toMatchObject({
      status: 400,
      body: { rejected: [{ index: 0 }] },
    });
  });
});
