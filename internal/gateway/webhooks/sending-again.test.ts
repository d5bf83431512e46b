import { expect, test } from "vitest";
import { archive, finalBet } from "../../archive/database.fixture.ts";
import { recordDeliveries } from "../../webhooks/deliveries.ts";
import { openRequests } from "../../webhooks/delivery-requests.ts";
import { webhooksForTest } from "./webhooks-gateway.fixture.ts";

const { db, otherKey, operator, asker } = await webhooksForTest();
const url = "https://example.com/hook";
const stored = Date.parse("2026-11-01T00:00:00Z");

test("a replay counts in a dry run, and is asked of the sender else", async () => {
  await archive(db, [finalBet(1), finalBet(2)], { storedAt: stored });
  const ask = await asker();
  const { id } = (await ask("POST", "/destinations", { url })).body;
  const replay = `/destinations/${id}/replay`;
  const range = { from: "2026-11-01T00:00:00Z", to: "2026-11-01T00:00:01+00:00" };
  expect(await ask("POST", replay, { ...range, dry_run: true })).toMatchObject({
    status: 200,
    body: { events: 2 },
  });
  expect(await openRequests(db, [id])).toEqual([]);
  const asked = await ask("POST", `${replay}?type=bet&only_undelivered=true`, range);
  expect(asked).toMatchObject({ status: 202, body: { request_id: expect.any(String) } });
  expect(await openRequests(db, [id])).toMatchObject([
    {
      id: asked.body.request_id,
      destination: id,
      kind: "replay",
      from: new Date(stored),
      to: new Date(stored + 1_000),
      types: ["bet"],
      onlyUndelivered: true,
    },
  ]);
  for (const body of [
    ...[{}, { from: "yesterday" }, { ...range, types: ["bet"] }],
    ...[
      { from: range.to, to: range.from },
      { from: range.to, to: range.to },
    ],
  ])
    expect((await ask("POST", replay, body)).status, JSON.stringify(body)).toBe(400);
  await ask("PATCH", `/destinations/${id}`, { enabled: false });
  expect((await ask("POST", replay, range)).status).toBe(409);
});

test("a delivery is listed, with its answer for the client alone, and its event is sent again", async () => {
  const ask = await asker();
  const { id } = (await ask("POST", "/destinations", { url })).body;
  await recordDeliveries(db, [
    {
      destination: id,
      event: { client: "casino", source: "web", id: 7, type: "bet" },
      webhookId: "evt_7",
      attempt: 1,
      outcome: "failed",
      result: { status: 500, durationMs: 3, error: "It answered 500.", answer: "oh", at: new Date(stored) },
    },
  ]);
  const { deliveries } = (await ask("GET", `/deliveries?destination_id=${id}&outcome=failed&event_id=7`))
    .body;
  expect(deliveries).toMatchObject([{ event_id: 7, outcome: "failed", answer: "oh" }]);
  for (const nothing of ["outcome=delivered", "to=2026-11-01T00:00:00Z", "source=app"])
    expect((await ask("GET", `/deliveries?${nothing}`)).body.deliveries, nothing).toEqual([]);
  expect((await ask("GET", "/deliveries", undefined, { as: otherKey })).body.deliveries).toEqual([]);
  for (const query of ["", "?client_id=casino"]) {
    const [seen] = (await ask("GET", `/deliveries${query}`, undefined, { as: operator })).body.deliveries;
    expect(seen).not.toHaveProperty("answer");
  }
  const resend = `/deliveries/${deliveries[0].id}/resend`;
  expect((await ask("POST", resend, undefined, { as: otherKey })).status).toBe(404);
  expect((await ask("POST", "/deliveries/x/resend")).status).toBe(400);
  expect(await ask("POST", resend)).toMatchObject({ status: 202 });
  expect(await openRequests(db, [id])).toMatchObject([
    { destination: id, kind: "resend", source: "web", eventId: 7 },
  ]);
  await ask("PATCH", `/destinations/${id}`, { enabled: false });
  expect((await ask("POST", resend)).status).toBe(409);
  await ask("DELETE", `/destinations/${id}`);
  expect((await ask("POST", resend)).status).toBe(404);
});
