import { expect, test } from "vitest";
import { gameStart, setAside } from "../../dead-letters/letters.fixture.ts";
import { lettersGatewayForTest, problem } from "./letters-gateway.fixture.ts";

const { count, gateway, jsm, publisher } = await lettersGatewayForTest();

test("replays a letter once; a dry run says what would become of it", async () => {
  await setAside(publisher, { payload: gameStart(1), headers: { "Casino-Source": "crm" } });
  await setAside(publisher, { payload: gameStart(2, { type: "jackpot" }) });
  const ask = await gateway();
  expect((await ask("POST", "/dead-letters/1/replay?dry_run=true")).json()).toEqual({
    seq: 1,
    would: "pass",
  });
  expect((await ask("POST", "/dead-letters/2/replay?dry_run=true")).json()).toEqual({
    seq: 2,
    would: "fail",
    reason: "unknown_type",
    because: "/type must be a registered type",
  });
  expect(await count("CASINO_RAW")).toBe(0);
  const replayed = await ask("POST", "/dead-letters/1/replay");
  expect([replayed.statusCode, replayed.json()]).toEqual([
    200,
    { seq: 1, outcome: "replayed", subject: "casino.event.raw.casino", replays: 1 },
  ]);
  expect((await ask("POST", "/dead-letters/1/replay")).json()).toEqual(
    problem(404, "There is no dead letter 1: it was sent again, discarded, or too old."),
  );
  const message = await jsm.streams.getMessage("CASINO_RAW", { seq: 1 });
  expect(message?.string()).toBe(gameStart(1));
  expect(message?.header.get("Nats-Msg-Id")).toBe("");
  expect(message?.header.get("Casino-Replays")).toBe("1");
  expect(await count("CASINO_RAW")).toBe(1);
});

test("replays an edited payload, unless it would fail or be another event", async () => {
  await setAside(publisher, { payload: gameStart(1, { player_id: "x" }) });
  const ask = await gateway();
  const wrong = await ask("POST", "/dead-letters/1/replay", { body: gameStart(1, { game_id: null }) });
  expect(wrong.headers["content-type"]).toBe("application/problem+json");
  expect(wrong.json()).toMatchObject({ status: 400, would: "fail", because: "/game_id must be integer" });
  for (const [body, because] of [
    ["{}", "/id must have required property"],
    ["nonsense", "must be JSON in UTF-8"],
    [gameStart(2), "The payload must keep the event's id, 1."],
  ] as const) {
    const refused = await ask("POST", "/dead-letters/1/replay", { body });
    const detail = `Nothing was sent, because this payload would fail: ${because}`;
    expect(refused.json()).toMatchObject({ status: 400, detail: expect.stringContaining(detail) });
    const dry = await ask("POST", "/dead-letters/1/replay?dry_run=true", { body });
    expect(dry.json()).toMatchObject({ would: "fail", because: expect.stringContaining(because) });
  }
  expect((await ask("POST", "/dead-letters/1/replay", { body: "x".repeat(2 ** 20 + 1) })).statusCode).toBe(
    413,
  );
  expect(await count("CASINO_RAW")).toBe(0);
  expect(
    (
      await ask("POST", "/dead-letters/1/replay", {
        body: gameStart(1),
        type: "Application/JSON; charset=utf-8",
      })
    ).statusCode,
  ).toBe(200);
  expect((await jsm.streams.getMessage("CASINO_RAW", { seq: 1 }))?.string()).toBe(gameStart(1));
});

test("replays all that match, up to a limit", async () => {
  for (let id = 1; id <= 5; id++) await setAside(publisher, { payload: gameStart(id) });
  await setAside(publisher, { payload: "nonsense", reason: "invalid_json" });
  await setAside(publisher, { payload: gameStart(7), failedOn: "nowhere" });
  const ask = await gateway();
  const body = (fields: object) => ({ body: JSON.stringify(fields) });
  const dry = (await ask("POST", "/dead-letters/replay", body({ dry_run: true }))).json();
  expect(dry).toMatchObject({ pass: 5, perhaps_pass: 0, fail: 2, more: false });
  expect(dry.dead_letters).toContainEqual({
    seq: 6,
    would: "fail",
    reason: "invalid_json",
    because: "must be JSON in UTF-8",
  });
  expect(await count("CASINO_RAW")).toBe(0);
  const some = await ask("POST", "/dead-letters/replay", body({ reason: "unknown_type", limit: 2 }));
  expect(some.json()).toEqual({
    replayed: 2,
    already_replayed: 0,
    failed: [],
    more: true,
    next_cursor: "2",
  });
  const rest = await ask("POST", "/dead-letters/replay?reason=unknown_type");
  expect(rest.json()).toEqual({
    replayed: 3,
    already_replayed: 0,
    failed: [{ seq: 7, because: expect.stringContaining("does not say where it failed") }],
    more: false,
    next_cursor: null,
  });
  expect([await count("CASINO_RAW"), await count("CASINO_DEAD")]).toEqual([5, 2]);
  expect((await ask("POST", "/dead-letters/replay", { body: "[]" })).statusCode).toBe(400);
});

test.each([
  ["/dead-letters/replay?client=acme", undefined, "client"],
  ["/dead-letters/replay?dry-run=true", undefined, "dry-run"],
  ["/dead-letters/replay", { clientid: "acme", dry_run: true }, "clientid"],
  ["/dead-letters/replay?reason=unknown_type", { dryRun: true }, "dryRun"],
  ["/dead-letters/1/replay?dryrun=true", undefined, "dryrun"],
])("%s with %o replays nothing, because it does not know %s", async (url, fields, name) => {
  await setAside(publisher, { payload: gameStart(1) });
  const ask = await gateway();
  const answer = await ask("POST", url, fields && { body: JSON.stringify(fields) });
  const sentence = `This route does not know "${name}": it takes `;
  expect(answer.json()).toEqual(problem(400, expect.stringContaining(sentence)));
  expect(answer.json().detail).toMatch(/dry_run\.$/);
  expect([await count("CASINO_RAW"), await count("CASINO_DEAD")]).toEqual([0, 1]);
});

test("of many names that it does not know it repeats some", async () => {
  const names = Array.from({ length: 1_000 }, (_, i) => [`name${i}`, true] as const);
  const body = JSON.stringify(Object.fromEntries(names));
  const { detail } = (await (await gateway())("POST", "/dead-letters/replay", { body })).json();
  expect(detail).toMatch(/^This route does not know "name0", "name1",/);
  expect(detail.length).toBeLessThan(700);
});

test("letters that cannot be sent keep nobody from those behind them", async () => {
  for (let id = 1; id <= 3; id++) await setAside(publisher, { payload: gameStart(id), failedOn: "nowhere" });
  for (let id = 4; id <= 6; id++) await setAside(publisher, { payload: gameStart(id) });
  const ask = await gateway();
  let replayed = 0;
  for (let cursor: string | null = "0"; cursor !== null; ) {
    const query: string = cursor === "0" ? "?limit=2" : `?limit=2&cursor=${cursor}`;
    const answer = (await ask("POST", `/dead-letters/replay${query}`)).json();
    replayed += answer.replayed;
    cursor = answer.next_cursor;
  }
  expect([replayed, await count("CASINO_DEAD")]).toEqual([3, 3]);
});

test.each(["/dead-letters/1/replay", "/dead-letters/replay"])(
  "POST %s takes a body of JSON only, and none of any type",
  async (url) => {
    await setAside(publisher, { payload: gameStart(1) });
    const ask = await gateway();
    for (const type of ["text/plain", "application/x-protobuf", "application/x-www-form-urlencoded"]) {
      const refused = await ask("POST", url, { body: url.includes("1") ? gameStart(1) : "{}", type });
      expect(refused.json()).toEqual(problem(415, "The Content-Type must be application/json."));
      expect(refused.headers["accept-post"]).toBe("application/json");
    }
    expect(await count("CASINO_DEAD")).toBe(1);
    expect((await ask("POST", url, { body: "", type: "text/plain" })).statusCode).toBe(200);
    expect(await count("CASINO_DEAD")).toBe(0);
  },
);

test("a body that no event fits into is refused before it is read", async () => {
  await setAside(publisher);
  const ask = await gateway();
  const answer = await ask("POST", "/dead-letters/1/replay", { body: Buffer.alloc(2 ** 20 + 1, " ") });
  expect(answer.json()).toEqual(problem(413, expect.stringMatching(/^The body is larger than 1 MiB/)));
  expect(await count("CASINO_DEAD")).toBe(1);
});
