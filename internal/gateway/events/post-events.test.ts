import { describe, expect, test } from "vitest";
import { deposit } from "../gateway.fixture.ts";
import { body, postingForTest } from "./post-events.fixture.ts";

const { jsm, poster, stored } = await postingForTest();

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
      body: { accepted: 1, rejected: [] },
    });
    expect(await stored()).toEqual([
      {
        subject: "casino.event.raw.casino",
        body: body(7),
        id: "",
        source: "till-1",
        traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/),
      },
    ]);
  });

  test("sent again is taken again, mended or not: the door drops nothing", async () => {
    const post = await poster();
    for (const amount of [1, 1, 2])
      expect((await post(JSON.stringify(deposit(1, { amount })))).body).toEqual({
        accepted: 1,
        rejected: [],
      });
    expect(await stored()).toHaveLength(3);
  });

  test("is stored though somebody has published under every id it may have", async () => {
    for (const id of ["casino:till-1:9:raw", "casino:till-1:9:final", "casino:till-1:9"])
      await jsm.jetstream().publish("casino.event.raw.other", "x", { msgID: id });
    const answer = await (await poster())(JSON.stringify(deposit(9)));
    expect(answer.body).toEqual({ accepted: 1, rejected: [] });
    expect((await stored()).at(-1)?.body).toBe(body(9));
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
      body: { type: "about:blank", title: "Bad Request", status: 400, accepted: 0 },
    });
    expect(answer.body.rejected).toEqual([
      { index: 0, errors: expect.arrayContaining([{ path, message: expect.any(String) }]) },
    ]);
    expect(await stored()).toEqual([]);
  });
});

describe("an array", () => {
  test("is taken as far as it is valid, answered item by item, copies within it too", async () => {
    const post = await poster();
    const events = [deposit(1), deposit(2, { amount: "x" }), deposit(1), [deposit(3)], deposit(4)];
    const answer = await post(JSON.stringify(events));
    expect(answer).toMatchObject({ status: 207, type: "application/json; charset=utf-8" });
    expect(answer.body).toEqual({
      accepted: 3,
      rejected: [
        { index: 1, errors: [{ path: "/amount", message: "must be integer" }] },
        { index: 3, errors: [{ path: "", message: "must be object" }] },
      ],
    });
    expect((await stored()).map(({ body }) => body)).toEqual([body(1), body(1), body(4)]);
  });

  test("in a currency that is not in use, or dated years ahead, is refused at its place", async () => {
    const post = await poster();
    const events = [
      { ...deposit(1), currency: "QQQ" },
      { ...deposit(2), currency: "BGN", created_at: "2026-06-01T00:00:00Z" },
      { ...deposit(3), created_at: "4370-01-01T00:00:00Z" },
      deposit(4),
    ];
    expect(await post(JSON.stringify(events))).toMatchObject({
      status: 207,
      body: {
        accepted: 1,
        rejected: [
          { index: 0, errors: [{ path: "/currency", message: "QQQ is not in use (ISO 4217)" }] },
          { index: 1, errors: [{ path: "/currency" }] },
          { index: 2, errors: [{ path: "/created_at" }] },
        ],
      },
    });
  });

  test("of 1000 is taken, of 1001 refused as a whole, of none refused", async () => {
    const post = await poster();
    const events = Array.from({ length: 1_001 }, (_, i) => deposit(i + 1));
    expect(await post(JSON.stringify(events))).toMatchObject({
      status: 413,
      body: {
        detail: expect.stringMatching(/^The body holds more than 1000 events, the most that are taken/),
      },
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

describe("the trace", () => {
  const given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

  test("of a request is continued by all its events, and one that is none is replaced", async () => {
    const post = await poster();
    await post(JSON.stringify([deposit(1), deposit(2)]), "application/json", { traceparent: given });
    await post(JSON.stringify(deposit(3)), "application/json", { traceparent: `${given}-x` });
    const traces = (await stored()).map(({ traceparent }) => traceparent);
    expect(traces.slice(0, 2)).toEqual([given, given]);
    expect(traces[2]).toMatch(/^00-(?!0af765)[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  });
});
