import { sql } from "kysely";
import { beforeEach, describe, expect, test } from "vitest";
import { addClients, addTypes, archive, archiveForTest, finalBet } from "../archive/database.fixture.ts";
import { removeClient } from "../clients/client-repository.ts";
import {
  type DeliveryRecord,
  deleteOlderThan,
  findDeliveries,
  findDelivery,
  recordDeliveries,
} from "./deliveries.ts";
import {
  countReplayed,
  finishRequest,
  noteProgress,
  openRequests,
  type ReplayFilter,
  requestReplay,
  requestResend,
} from "./delivery-requests.ts";
import { type DestinationSettings, defaultSettings } from "./destination.ts";
import { Destinations } from "./destinations.ts";
import { SecretBox } from "./secret-box.ts";

const db = await archiveForTest();
await addClients(db, "other");
await addTypes(db, "login");

const start = Date.parse("2026-11-01T00:00:00Z");
const record = (n: number, more: Partial<DeliveryRecord> = {}): DeliveryRecord => ({
  destination: "destination00001",
  event: { client: "casino", source: "web", id: n, type: "bet", sequence: 100 + n },
  webhookId: `evt_${n}`,
  attempt: 1,
  outcome: "delivered",
  result: { status: 204, durationMs: 12, answer: "", at: new Date(start + n) },
  ...more,
});
const failed = {
  outcome: "failed",
  result: {
    status: undefined,
    durationMs: 15_000,
    error: "There was no answer within 15 s.",
    answer: "",
    at: new Date(start + 50),
  },
} as const;

const all = { client: "casino", withAnswers: true };

beforeEach(() => sql`truncate deliveries`.execute(db));

describe("recorded attempts", () => {
  test("are listed by the newest, page by page, each once", async () => {
    await recordDeliveries(
      db,
      [1, 2, 3, 4, 5].map((n) => record(n)),
    );
    const seen: number[] = [];
    for (let cursor: string | undefined; ; ) {
      const page = await findDeliveries(db, { ...all, limit: 2, cursor });
      seen.push(...page.deliveries.map(({ event_id }) => event_id));
      if (page.next_cursor === null) break;
      cursor = page.next_cursor;
    }
    expect(seen).toEqual([5, 4, 3, 2, 1]);
    await expect(findDeliveries(db, { ...all, limit: 2, cursor: "x" })).rejects.toThrow(RangeError);
  });

  test("go with their client, so that another one that gets its name does not see them", async () => {
    const event = { client: "leaving", source: "web", id: 1, type: "bet" };
    await addClients(db, "leaving");
    await recordDeliveries(db, [record(1, { event }), record(2)]);
    expect(await removeClient(db, "leaving")).toBe("removed");
    expect((await findDeliveries(db, { ...all, client: "leaving", limit: 9 })).deliveries).toEqual([]);
    expect((await findDeliveries(db, { ...all, limit: 9 })).deliveries).toHaveLength(1);
  });

  test("are shown whole to their client; whoever sees all clients' does not see what receivers answered", async () => {
    await recordDeliveries(db, [
      record(1, {
        ...failed,
        result: { ...failed.result, status: 500, error: "It answered 500.", answer: "é secret" },
      }),
    ]);
    const [shown] = (await findDeliveries(db, { ...all, limit: 10 })).deliveries;
    expect(shown).toEqual({
      id: expect.stringMatching(/^\d+$/),
      destination_id: "destination00001",
      client_id: "casino",
      source: "web",
      event_id: 1,
      event_type: "bet",
      webhook_id: "evt_1",
      attempt: 1,
      outcome: "failed",
      status: 500,
      duration_ms: 15_000,
      error: "It answered 500.",
      answer: "é secret",
      at: "2026-11-01T00:00:00.050Z",
    });
    const [forAll] = (await findDeliveries(db, { ...all, withAnswers: false, limit: 10 })).deliveries;
    expect(forAll).not.toHaveProperty("answer");
    const id = shown?.id ?? "";
    expect(await findDelivery(db, id, "casino")).toEqual(shown);
    expect(await findDelivery(db, id, "other")).toBeUndefined();
    expect(await findDelivery(db, id, undefined)).toEqual(forAll);
  });

  test.each([
    ["destination", { destination: "destination00002" }, [2]],
    ["outcome", { outcome: "failed" as const }, [3]],
    ["event", { source: "web", eventId: 1 }, [1]],
    ["time", { from: start + 2, to: start + 50 }, [2]],
    ["client", { client: "other" }, [4]],
  ])("are found by %s", async (_what, filter, ids) => {
    await recordDeliveries(db, [
      record(1),
      record(2, { destination: "destination00002" }),
      record(3, failed),
      record(4, { event: { client: "other", source: "web", id: 4, type: "bet" } }),
    ]);
    const page = await findDeliveries(db, { ...all, limit: 10, ...filter });
    expect(page.deliveries.map(({ event_id }) => event_id)).toEqual(ids);
  });

  test("are deleted when they are old, some at a time", async () => {
    const now = { ...failed.result, at: new Date() };
    await recordDeliveries(db, [record(1), record(2), record(3), record(4, { result: now })]);
    expect(await deleteOlderThan(db, "deliveries", 60_000, 2)).toBe(2);
    expect(await deleteOlderThan(db, "deliveries", 60_000, 2)).toBe(1);
    expect((await findDeliveries(db, { ...all, limit: 10 })).deliveries).toHaveLength(1);
  });
});

describe("what the sender is asked for", () => {
  const settings: DestinationSettings = {
    ...defaultSettings,
    url: "https://example.com",
    types: ["bet", "login"],
  };
  const destinations = new Destinations(db, new SecretBox([Buffer.alloc(32)]));
  const filter: ReplayFilter = {
    from: new Date(start),
    to: new Date(start + 1_000),
    types: null,
    onlyUndelivered: false,
  };

  test("waits in its order until it is done", async () => {
    const destination = await destinations.create("casino", settings);
    const resend = await requestResend(db, destination, { source: "web", id: 7 });
    const replay = await requestReplay(db, destination, { ...filter, types: ["bet"] });
    const common = { destination: destination.id, client: "casino", createdAt: expect.any(Date) };
    expect(await openRequests(db, [destination.id])).toEqual([
      { ...common, id: resend, kind: "resend", source: "web", eventId: 7, position: null, sent: 0 },
      { ...common, id: replay, kind: "replay", ...filter, types: ["bet"], position: null, sent: 0 },
    ]);
    await noteProgress(db, replay, { position: { id: 4 }, sent: 3 });
    await finishRequest(db, resend);
    expect(await openRequests(db, [destination.id])).toMatchObject([
      { id: replay, position: { id: 4 }, sent: 3 },
    ]);
    await destinations.remove(destination.id, "casino");
    expect(await openRequests(db, [destination.id])).toEqual([]);
  });

  test("is deleted once it is done for long, and not before it is done", async () => {
    const destination = await destinations.create("casino", settings);
    const [old, recent, open] = [
      await requestResend(db, destination, { source: "web", id: 7 }),
      await requestResend(db, destination, { source: "web", id: 8 }),
      await requestResend(db, destination, { source: "web", id: 9 }),
    ];
    await finishRequest(db, recent);
    const long = new Date(Date.now() - 120_000);
    const query = db.updateTable("delivery_requests").set({ created_at: long }).where("id", "=", open);
    await query.execute();
    await db.updateTable("delivery_requests").set({ done_at: long }).where("id", "=", old).execute();
    expect(await deleteOlderThan(db, "delivery_requests", 60_000, 10)).toBe(1);
    const left = await db.selectFrom("delivery_requests").select("id").orderBy("id").execute();
    expect(left.map(({ id }) => id)).toEqual([recent, open]);
  });

  test("of one destination hides no other's, however much it is", async () => {
    const [first, other] = [
      await destinations.create("casino", settings),
      await destinations.create("casino", settings),
    ];
    const many = [];
    for (let id = 1; id <= 4; id++) many.push(await requestResend(db, first, { source: "web", id }));
    const one = await requestReplay(db, other, filter);
    const idsOf = async (...of: { id: string }[]) =>
      (
        await openRequests(
          db,
          of.map(({ id }) => id),
          2,
        )
      ).map(({ id }) => id);
    expect(await idsOf(first, other)).toEqual([many[0], many[1], one]);
    expect(await idsOf(other)).toEqual([one]);
  });

  test("a replay counts what the destination takes of the archive", async () => {
    const destination = await destinations.create("casino", settings);
    const at = (storedAt: number) => ({ source: "web", storedAt });
    await archive(db, [finalBet(1), finalBet(2)], at(start));
    await archive(db, [finalBet(3)], at(start + 1_000));
    await archive(db, [finalBet(4)], { ...at(start), client: "other" });
    await archive(db, [finalBet(5, { type: "game_start" } as object)], at(start));
    await archive(db, [{ ...finalBet(6), type: "login", data: {} }], at(start));
    expect(await countReplayed(db, destination, filter)).toBe(3);
    expect(await countReplayed(db, destination, { ...filter, types: ["bet"] })).toBe(2);
    expect(await countReplayed(db, { ...destination, types: null }, filter)).toBe(4);
    await recordDeliveries(db, [
      record(1, { destination: destination.id }),
      record(2, { destination: destination.id, ...failed }),
      record(6),
    ]);
    expect(await countReplayed(db, destination, { ...filter, onlyUndelivered: true })).toBe(2);
  });
});
