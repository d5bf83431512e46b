import { expect, test } from "vitest";
import { gameStart, setAside } from "../../dead-letters/letters.fixture.ts";
import { lettersGatewayForTest, type Method, problem } from "./letters-gateway.fixture.ts";

const { acme, casino, count, gateway, jsm, nc, publisher, server } = await lettersGatewayForTest();

const seqsOf = (response: { json(): { dead_letters: { seq: number }[] } }) =>
  response.json().dead_letters.map(({ seq }) => seq);

test("lists the newest first, filtered, in pages, with counts when asked", async () => {
  for (let id = 1; id <= 5; id++) await setAside(publisher, { payload: gameStart(id) });
  await setAside(publisher, {
    client: "acme",
    step: "player",
    reason: "invalid_event",
    error: "/a is wrong",
  });
  const ask = await gateway();
  const first = await ask("GET", "/dead-letters?limit=4");
  expect(first.statusCode).toBe(200);
  expect(first.json().dead_letters[0]).toEqual({
    seq: 6,
    at: expect.stringMatching(/^20.*Z$/),
    reason: "invalid_event",
    step: "player",
    client_id: "acme",
    error: "/a is wrong",
    subject: "casino.event.raw.acme",
    deliveries: 1,
    replays: 0,
    bytes: gameStart(1).length,
  });
  expect(seqsOf(first)).toEqual([6, 5, 4, 3]);
  const rest = await ask("GET", `/dead-letters?limit=4&cursor=${first.json().next_cursor}`);
  expect([seqsOf(rest), rest.json().next_cursor]).toEqual([[2, 1], null]);
  expect(first.json().groups).toBeUndefined();
  for (const query of ["reason=invalid_event", "step=player", "client_id=acme", "step=player&client_id=acme"])
    expect(seqsOf(await ask("GET", `/dead-letters?${query}`))).toEqual([6]);
  expect((await ask("GET", "/dead-letters?groups=true&limit=1")).json().groups).toEqual([
    { reason: "unknown_type", step: "currency", client_id: "casino", count: 5 },
    { reason: "invalid_event", step: "player", client_id: "acme", count: 1 },
  ]);
});

test("shows a letter with its errors, headers and payload, also when that is no text", async () => {
  await setAside(publisher, {
    error: "/a must be x; /b/c must be y",
    payload: "\ufeffé{",
    headers: { "Casino-Source": "crm" },
  });
  await setAside(publisher, { payload: Buffer.from([0xff, 0x00]) });
  const ask = await gateway();
  expect((await ask("GET", "/dead-letters/1")).json()).toMatchObject({
    seq: 1,
    errors: [
      { path: "/a", message: "must be x" },
      { path: "/b/c", message: "must be y" },
    ],
    source: "crm",
    headers: { "Casino-Source": "crm", "Casino-Dead-Step": "currency" },
    payload: "\ufeffé{",
    payload_encoding: "utf-8",
  });
  expect((await ask("GET", "/dead-letters/2")).json()).toMatchObject({
    payload: "/wA=",
    payload_encoding: "base64",
  });
});

test("discards a letter", async () => {
  await setAside(publisher);
  const ask = await gateway();
  const gone = await ask("DELETE", "/dead-letters/1");
  expect([gone.statusCode, gone.body]).toEqual([204, ""]);
  expect((await ask("DELETE", "/dead-letters/1")).statusCode).toBe(404);
  expect(await count("CASINO_DEAD")).toBe(0);
});

test("a client's key sees and touches only its own", async () => {
  await setAside(publisher, { payload: gameStart(1) });
  await setAside(publisher, { payload: gameStart(2), client: "acme" });
  const ask = await gateway();
  for (const [key, own, other] of [
    [casino, 1, 2],
    [acme, 2, 1],
  ] as const) {
    expect(seqsOf(await ask("GET", "/dead-letters", { key }))).toEqual([own]);
    expect((await ask("GET", "/dead-letters?groups=true", { key })).json().groups).toHaveLength(1);
    expect((await ask("GET", `/dead-letters/${own}`, { key })).statusCode).toBe(200);
    for (const [method, url] of [
      ["GET", `/dead-letters/${other}`],
      ["POST", `/dead-letters/${other}/replay`],
      ["POST", `/dead-letters/${other}/replay?dry_run=true`],
      ["DELETE", `/dead-letters/${other}`],
      ["GET", `/dead-letters?client_id=${key === casino ? "acme" : "casino"}`],
      ["POST", `/dead-letters/replay?client_id=${key === casino ? "acme" : "casino"}`],
    ] as const) {
      const refused = await ask(method, url, { key });
      expect([url, refused.statusCode]).toEqual([url, 403]);
      expect(refused.body).not.toContain("casino.event");
    }
  }
  expect(await count("CASINO_DEAD")).toBe(2);
  expect((await ask("POST", "/dead-letters/replay", { key: acme })).json()).toMatchObject({ replayed: 1 });
  expect(seqsOf(await ask("GET", "/dead-letters"))).toEqual([1]);
});

test.each([
  ["GET", "/dead-letters/x", 400, "number is an integer from 1 on"],
  ["GET", "/dead-letters/0", 400, "number is an integer from 1 on"],
  ["GET", "/dead-letters/1.5", 400, "number is an integer from 1 on"],
  ["DELETE", "/dead-letters/9007199254740993", 400, "number is an integer from 1 on"],
  ["POST", "/dead-letters/-1/replay", 400, "number is an integer from 1 on"],
  ["GET", "/dead-letters/9007199254740991", 404, "There is no dead letter"],
  ["POST", "/dead-letters/1/replay", 404, "There is no dead letter 1"],
  ["GET", "/dead-letters?limit=0", 400, 'limit must be an integer from 1 to 1000, not "0".'],
  ["GET", "/dead-letters?reason=bad", 400, "reason must be one of invalid_json,"],
  ["GET", "/dead-letters?client_id=a.*", 400, "client_id must be the name of a client"],
  ["GET", "/dead-letters?step=a&step=b", 400, "step must be the name of a step"],
  ["GET", "/dead-letters?cursor=x&groups=1", 400, "cursor must be the `next_cursor` of an earlier answer"],
  ["GET", "/dead-letters/replay", 405, "This path has no GET, but POST."],
  ["DELETE", "/dead-letters/replay", 405, "This path has no DELETE, but POST."],
  [
    "GET",
    "/dead-letters?client=a",
    400,
    'This route does not know "client": it takes reason, step, client_id,',
  ],
  ["GET", "/dead-letters?limit=0&dry_run=true", 400, '1000, not "0". This route does not know "dry_run"'],
  ["GET", "/dead-letters/1?x=", 400, 'This route does not know "x": it takes no parameters.'],
  ["DELETE", "/dead-letters/1?dry_run=true", 400, 'This route does not know "dry_run"'],
  ["PUT", "/dead-letters/1", 405, "GET, HEAD, DELETE"],
] as const)("%s %s is a %i", async (method, url, status, sentence) => {
  const answer = await (await gateway())(method as Method, url);
  expect(answer.json()).toEqual(problem(status, expect.stringContaining(sentence)));
});

test("without a key there is nothing, and while the broker has no such stream a 503", async () => {
  const ask = await gateway();
  expect((await ask("GET", "/dead-letters", { key: "none" })).statusCode).toBe(401);
  await setAside(publisher, { payload: gameStart(1) });
  await jsm.streams.update("CASINO_RAW", { max_msgs: 1 });
  await nc.request("casino.event.raw.casino", "{}");
  const full = await ask("POST", "/dead-letters/1/replay");
  expect(full.json()).toEqual(
    problem(503, "Dead letter 1 was not sent again: the stream it goes to is full."),
  );
  expect(full.headers["retry-after"]).toBe("2");
  const many = await ask("POST", "/dead-letters/replay");
  expect(many.json()).toMatchObject({ status: 503, replayed: 0 });
  await jsm.streams.delete("CASINO_DEAD");
  expect((await ask("GET", "/dead-letters")).statusCode).toBe(503);
});

test("the description of the API has the routes", async () => {
  const { paths, components } = (await (await gateway())("GET", "/openapi.json")).json();
  expect(Object.keys(paths["/dead-letters"])).toEqual(["get"]);
  expect(Object.keys(paths["/dead-letters/{seq}"]).toSorted()).toEqual(["delete", "get"]);
  expect(paths["/dead-letters/{seq}/replay"].post.requestBody).toBeDefined();
  expect(paths["/dead-letters/replay"].post.operationId).toBe("replayDeadLetters");
  expect(components.schemas.DeadLetter.properties.payload_encoding.enum).toEqual(["utf-8", "base64"]);
});

test("while the broker is away every route says so with a 503", async () => {
  const ask = await gateway();
  await server.kill();
  try {
    const answers = await Promise.all([
      ask("GET", "/dead-letters"),
      ask("GET", "/dead-letters/1"),
      ask("POST", "/dead-letters/1/replay"),
      ask("POST", "/dead-letters/replay"),
      ask("DELETE", "/dead-letters/1"),
    ]);
    for (const answer of answers) {
      expect(answer.json()).toEqual(problem(503, expect.stringContaining("NATS JetStream is away")));
      expect(answer.headers["retry-after"]).toBe("2");
    }
  } finally {
    await server.start();
  }
});

test("reading that takes long on behalf of one client keeps no other from it", async () => {
  const ask = await gateway();
  const mine = Array.from({ length: 40 }, () => ask("GET", "/dead-letters?groups=true", { key: casino }));
  const others = [ask("GET", "/dead-letters?limit=1", { key: acme }), ask("GET", "/dead-letters?limit=1")];
  for (const answer of await Promise.all(others)) expect(answer.statusCode).toBe(200);
  const answers = await Promise.all(mine);
  // Two read, 32 wait for them.
  expect(answers.filter(({ statusCode }) => statusCode === 200)).toHaveLength(34);
  const refused = answers.filter(({ statusCode }) => statusCode === 429);
  expect(refused).toHaveLength(6);
  expect(refused[0]?.headers["retry-after"]).toBe("1");
});

test("few letters of one client are on their way from the broker at once", async () => {
  await setAside(publisher, { payload: gameStart(1) });
  const ask = await gateway();
  const answers = await Promise.all(Array.from({ length: 100 }, () => ask("GET", "/dead-letters/1")));
  const refused = answers.filter(({ statusCode }) => statusCode === 429);
  expect(refused).toHaveLength(28);
  expect(answers.filter(({ statusCode }) => statusCode === 200)).toHaveLength(72);
});
