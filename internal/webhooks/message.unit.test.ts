import { describe, expect, test } from "vitest";
import { type DeliverableEvent, readDeliverable, webhookIdOf, webhookMessage } from "./message.ts";

const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const final = {
  id: 7,
  player_id: 10,
  type: "deposit",
  amount: 100,
  currency: "EUR",
  created_at: "2022-03-03T12:12:00.000Z",
  amount_eur: 100,
  description: "d",
};

function deliverable(more: object = {}, client = "casino", source = "web"): DeliverableEvent {
  const event = readDeliverable(client, source, bytes({ ...final, ...more }));
  if (event === undefined) throw new Error("it is no final event");
  return event;
}

describe("a final event", () => {
  test("is read with its own text", () => {
    expect(readDeliverable("casino", "web", bytes(final), 41)).toEqual({
      client: "casino",
      source: "web",
      id: 7,
      type: "deposit",
      createdAt: "2022-03-03T12:12:00.000Z",
      playerId: 10,
      text: JSON.stringify(final),
      sequence: 41,
    });
  });

  test.each([
    ["no JSON", new TextEncoder().encode("{")],
    ["not UTF-8", Uint8Array.of(0x22, 0xff, 0x22)],
    ["an array", bytes([final])],
    ["without an id", bytes({ ...final, id: undefined })],
    ["without a time", bytes({ ...final, created_at: 5 })],
  ])("%s is none", (_what, data) => {
    expect(readDeliverable("casino", "web", data)).toBeUndefined();
  });
});

describe("a call", () => {
  test("has the event with whose it is, as GET /events shows it", () => {
    const { id, body } = webhookMessage([deliverable()], false);
    expect(JSON.parse(body)).toEqual({
      type: "deposit",
      timestamp: "2022-03-03T12:12:00.000Z",
      data: { ...final, client_id: "casino", source: "web" },
    });
    expect(id).toMatch(/^evt_[\w-]{27}$/);
  });

  test("has an id of client, source and id alone", () => {
    const one = webhookIdOf(deliverable());
    expect(webhookIdOf(deliverable({ description: "other", type: "bet" }))).toBe(one);
    const others = [
      deliverable({ id: 8 }),
      deliverable({}, "other"),
      deliverable({}, "casino", "app"),
      deliverable({}, "casin", "o.web"),
    ];
    expect(new Set([one, ...others.map(webhookIdOf)]).size).toBe(5);
  });

  test("of several is a batch with an id made of theirs, one of a single event too", () => {
    const [a, b] = [deliverable(), deliverable({ id: 8 })];
    const batch = webhookMessage([a, b], true);
    expect(JSON.parse(batch.body)).toEqual({
      type: "batch",
      timestamp: a.createdAt,
      data: [a, b].map((event) => ({
        id: webhookIdOf(event),
        type: "deposit",
        timestamp: event.createdAt,
        data: { ...final, id: event.id, client_id: "casino", source: "web" },
      })),
    });
    expect(webhookMessage([a, b], true)).toEqual(batch);
    expect(webhookMessage([b, a], true).id).not.toBe(batch.id);
    expect(webhookMessage([a], true).id).not.toBe(webhookMessage([a], false).id);
    expect(JSON.parse(webhookMessage([a], true).body).data).toHaveLength(1);
  });
});
