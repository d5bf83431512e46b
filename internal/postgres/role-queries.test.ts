import { describe, expect, onTestFinished, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { findEvents } from "../archive/find-events.ts";
import { EventsTable, insertOf } from "../archive/insert.ts";
import { deleteOlderThan } from "../archive/retention.ts";
import { hashOf, prefixOf } from "../clients/api-key.ts";
import {
  addClient,
  createKey,
  listClients,
  listKeys,
  revokeKey,
  takesEventsOf,
} from "../clients/client-repository.ts";
import { postgresKeys } from "../clients/key-lookup.ts";
import { endSession, openSession, postgresSessions } from "../clients/sessions.ts";
import { gameKind } from "../games/game-kind.ts";
import { GameTitles } from "../games/game-titles.ts";
import { customEvents } from "../generator/custom.ts";
import { playerKind } from "../players/player-kind.ts";
import { postgresPlayers } from "../players/players.ts";
import { postgresRecords } from "../records/postgres-records.ts";
import { listChanges, listTypes, registerType, removeType } from "../registry/event-types.ts";
import { Registry } from "../registry/registry.ts";
import {
  deleteOlderThan as deleteDeliveries,
  findDeliveries,
  recordDeliveries,
} from "../webhooks/deliveries.ts";
import { finishRequest, noteProgress, openRequests, requestResend } from "../webhooks/delivery-requests.ts";
import { type DestinationSettings, defaultSettings } from "../webhooks/destination.ts";
import { Destinations } from "../webhooks/destinations.ts";
import { resealDestinations } from "../webhooks/reseal.ts";
import { SecretBox } from "../webhooks/secret-box.ts";
import type { Database } from "./connect.ts";
import { rolesForTest } from "./roles.fixture.ts";

const signal = new AbortController().signal;
const { owner, as } = await rolesForTest();

const row = {
  client: "casino",
  source: "test",
  event: {
    id: 1,
    type: "game_start",
    player_id: 10,
    game_id: 100,
    created_at: "2022-01-10T12:34:56.000Z",
    description: "",
  },
  storedAt: 0,
} as const;

const box = new SecretBox([Buffer.alloc(32)]);
const destination: DestinationSettings = { ...defaultSettings, url: "https://example.com" };

describe("each service's queries work under its own role", () => {
  test("enricher", async () => {
    const db = as("enricher");
    const [found] = await postgresPlayers(db).find([{ client: "casino", id: 10 }], signal);
    expect(found?.player?.email).toBe("john@example.com");
    const titles = GameTitles.start(db, silent);
    onTestFinished(() => titles.close());
    await waitFor(() => titles.problem === undefined);
    expect(titles.titleOf("casino", 100)).toBe("Rocket Dice");
    await withRegistry(db);
  });

  test("gateway", async () => {
    const db = as("gateway");
    const key = (await createKey(owner, { client: "casino", source: "test" })) ?? expect.fail("no key");
    const found = await postgresKeys(db)([hashOf(key), Buffer.alloc(32)], signal);
    expect([...found.keys()]).toEqual([hashOf(key).toString("base64")]);
    expect(await takesEventsOf(db, "casino")).toBe(true);
    expect(await findEvents(db, { client: "casino", limit: 10 })).toMatchObject({ next_cursor: null });
    const players = postgresRecords(db, playerKind);
    const player = { id: 99, email: "new@example.com", last_signed_in_at: null };
    expect(await players.put("casino", [player], signal)).toBe(1);
    expect(await players.put("casino", [player], signal)).toBe(0);
    expect(await players.find("casino", 99, signal)).toEqual(player);
    expect(await players.remove("casino", 99, signal)).toBe(true);
    const destinations = new Destinations(db, box);
    const { id } = await destinations.create("casino", destination);
    await withDestinations(db, id);
    const games = postgresRecords(db, gameKind);
    expect(await games.put("casino", [{ id: 99, title: "New" }], signal)).toBe(1);
    expect(await games.put("casino", [{ id: 99, title: "Newer" }], signal)).toBe(0);
    expect(await games.remove("casino", 99, signal)).toBe(true);
    await withRegistry(db);
    // What the dashboard does.
    const known = await postgresKeys(db)([hashOf(key ?? "")], signal);
    const opened = await openSession(db, [...known.values()][0] ?? expect.fail("no key"));
    expect(await postgresSessions(db)([hashOf(opened.token)], signal)).toHaveProperty("size", 1);
    await endSession(db, opened.token);
    expect(
      await revokeKey(db, prefixOf((await createKey(db, { client: "casino", source: "more" })) ?? "")),
    ).toBe(1);
    expect(await registerType(db, { type: "mine", client: undefined }, { type: "object" })).toBe(
      "registered",
    );
    expect(await removeType(db, { type: "mine", client: undefined })).toBe(true);
  });

  test("archiver", async () => {
    const db = as("archiver");
    expect(await new EventsTable(db).add(insertOf([row]), signal)).toBe(1);
    expect(await new EventsTable(db).add(insertOf([row]), signal)).toBe(0);
    expect(await deleteOlderThan(db, 1_000, 10, signal)).toBe(1);
  });

  test("generator", async () => {
    expect(await customEvents(as("generator"), "casino", "transaction_approved")).toBeTypeOf("function");
  });

  test("sender", async () => {
    const db = as("sender");
    const ours = new Destinations(owner, box);
    const { id } = await ours.create("casino", destination);
    const destinations = new Destinations(db, box);
    expect((await destinations.all()).destinations).toMatchObject([{ id }]);
    await destinations.markFailing(id, new Date());
    await destinations.markHealthy(id);
    expect(await destinations.disable(id, "because")).toBe(true);
    const event = { client: "casino", source: "test", id: 1, type: "bet" };
    const result = { durationMs: 1, answer: "", at: new Date(0) };
    const attempt = { webhookId: "evt_1", attempt: 1, outcome: "delivered" } as const;
    await recordDeliveries(db, [{ destination: id, event, result, ...attempt }]);
    expect(await deleteDeliveries(db, "deliveries", 1_000, 10)).toBe(1);
    const request = await requestResend(owner, { id, client: "casino" }, event);
    expect(await openRequests(db, [id])).toMatchObject([{ id: request }]);
    await noteProgress(db, request, { position: {}, sent: 1 });
    await finishRequest(db, request);
    expect(await deleteDeliveries(db, "delivery_requests", -60_000, 10)).toBe(1);
    await ours.remove(id, "casino");
  });

  test("operator", async () => {
    const db = as("operator");
    const destinations = new Destinations(db, box);
    const { id } = await destinations.create("casino", destination);
    await withDestinations(db, id);
    expect(await addClient(db, "new-casino", "A new one")).toBe(true);
    expect(await listClients(db)).toContainEqual(expect.objectContaining({ id: "new-casino" }));
    await createKey(db, { client: "new-casino", source: "test" });
    const players = postgresRecords(db, playerKind);
    const player = { id: 1, email: "new@example.com", last_signed_in_at: null };
    expect(await players.put("new-casino", [player], signal)).toBe(1);
    expect(await players.put("new-casino", [player], signal)).toBe(0);
    expect(await postgresRecords(db, gameKind).put("new-casino", [{ id: 1, title: "New" }], signal)).toBe(1);
    const [key] = await listKeys(db, "new-casino");
    expect(await revokeKey(db, key?.prefix ?? "")).toBe(1);
    const type = { type: "new_type", client: "new-casino" };
    expect(await registerType(db, type, { type: "object" })).toBe("registered");
    expect(await registerType(db, type, { type: "object", required: ["a"] })).toBe("changed");
    expect(await listTypes(db)).toContainEqual(expect.objectContaining(type));
    expect(await removeType(db, type)).toBe(true);
    expect((await listChanges(db, type)).map(({ change }) => change)).toEqual([
      "removed",
      "replaced",
      "registered",
    ]);
    expect(await findEvents(db, { client: "casino", limit: 10 })).toMatchObject({ next_cursor: null });
    await withRegistry(db);
  });

  async function withDestinations(db: Database, id: string): Promise<void> {
    const destinations = new Destinations(db, box);
    await destinations.update(id, "casino", { batch: 2 });
    expect(await destinations.rotate(id, "casino")).toMatch(/^whsec_/);
    expect(await resealDestinations(db, box)).toBe(0);
    expect(await findDeliveries(db, { client: "casino", withAnswers: true, limit: 1 })).toMatchObject({
      deliveries: [],
    });
    await requestResend(db, { id, client: "casino" }, { source: "test", id: 1 });
    expect(await destinations.remove(id, "casino")).toBe(true);
  }

  async function withRegistry(db: Database): Promise<void> {
    const registry = Registry.start(db, silent);
    await registry.refresh();
    await registry.close();
  }
});
