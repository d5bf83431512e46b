import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { waitFor } from "../../test/harness/wait-for.ts";
import { OutgoingHeaders } from "../jetstream/wire-headers.ts";
import {
  db,
  dead,
  events,
  jsm,
  nc,
  proof,
  publisher,
  send,
  settled,
  startAll,
  startSteps,
  stopAll,
  stored,
  troubles,
} from "./system.fixture.ts";

describe("a fault is named:", () => {
  /** What is wrong, by check: its count and its names. */
  async function wrong(options: Parameters<typeof proof>[0] = { waitMs: 10_000 }) {
    const found = await proof(options);
    expect(found.holds).toBe(false);
    return Object.fromEntries(
      Object.entries(troubles(found)).map(([name, { verdict, count, names }]) => [
        name,
        verdict === "violated" ? [count, ...names] : verdict,
      ]),
    );
  }

  test.each([1, 5, 10])("a final event deleted behind its back, the one at %i of 10", async (seq) => {
    await send(1, 10);
    await settled();
    const message = await jsm.streams.getMessage(events, { seq });
    const number = message?.header.get("Casino-Accepted").split(" ")[0];
    const key = message?.header.get("Nats-Msg-Id").replace(":final", "");
    await jsm.streams.deleteMessage(events, seq);
    expect(await wrong()).toEqual({
      accounted: [1, `CASINO_RAW ${number}`],
      holes: [1, `CASINO_EVENTS ${seq}`],
      surplus: [1, key],
    });
  });

  test("a message deleted from a queue, and a queue emptied", async () => {
    await stopAll();
    await startSteps("currency");
    await send(1, 10);
    await waitFor(async () => (await stored("CASINO_PRICED")) === 10);
    await stopAll();
    await send(11, 13);
    expect(troubles(await proof())).toMatchObject({ materialized: { verdict: "unchecked" } });
    await jsm.streams.deleteMessage("CASINO_PRICED", 4);
    await jsm.streams.purge("CASINO_RAW");
    await startAll();
    expect(await wrong()).toEqual({
      accounted: [4, ...[4, 11, 12, 13].map((number) => `CASINO_RAW ${number}`)],
    });
  });

  test("a row deleted from Postgres", async () => {
    await send(1, 10);
    await settled();
    await sql`delete from events where id = 6`.execute(db);
    expect(await wrong()).toEqual({
      archived: [1, expect.stringMatching(/^casino:test:6 \(CASINO_EVENTS \d+\)$/)],
      materialized: [
        3,
        "events of all clients: 10 in /materialized, 9 in Postgres",
        "deposits of casino:16: 6 in /materialized, none in Postgres",
        "events of client casino: 10 in /materialized, 9 in Postgres",
      ],
    });
  });

  test("a row added to Postgres, and an amount changed there", async () => {
    await send(1, 10);
    await settled();
    await sql`update events set amount_eur = amount_eur + 1 where id = 9`.execute(db);
    await sql`
      insert into events (client_id, source, id, type, created_at, description, stored_at)
      select 'casino', 'forged', 1, 'game_start', now(), 'Never happened.', stored_at from events where id = 5
    `.execute(db);
    expect(await wrong()).toEqual({
      surplus: [1, "casino:forged:1"],
      materialized: [
        3,
        "events of all clients: 10 in /materialized, 11 in Postgres",
        "deposits of casino:12: 9 in /materialized, 10 in Postgres",
        "events of client casino: 10 in /materialized, 11 in Postgres",
      ],
    });
  });

  test("a final event published once more under another message id, and one that nobody accepted", async () => {
    await send(1, 10);
    await settled();
    const original = await jsm.streams.getMessage(events, { seq: 3 });
    const copy = async (messageId: string, accepted: string) => {
      const headers = new OutgoingHeaders().add("Nats-Msg-Id", messageId).add("Casino-Source", "test");
      if (accepted !== "") headers.add("Casino-Accepted", accepted);
      await publisher.publish({
        subject: original?.subject ?? "",
        payload: original?.data ?? new Uint8Array(),
        headers,
      });
    };
    const accepted = original?.header.get("Casino-Accepted") ?? "";
    const key = original?.header.get("Nats-Msg-Id").replace(":final", "");
    await copy("mine", accepted);
    await copy(`${key}:final:replay:77`, accepted);
    await copy("casino:test:4711:final", "");
    await copy("casino:test:4712:final", accepted.replace(/^\d+/, "99"));
    expect(await wrong()).toMatchObject({
      once: [2, `${key} (CASINO_EVENTS 11)`, `${key} (CASINO_EVENTS 12)`],
      strangers: [2, "casino:test:4711 (CASINO_EVENTS 13)", "casino:test:4712 (CASINO_EVENTS 14)"],
    });
  });

  test("a dead letter deleted without a word", async () => {
    await send(1, 3, { currency: "XYZ" });
    await settled();
    await jsm.streams.deleteMessage(dead, 2);
    expect(await wrong()).toEqual({ accounted: [1, "CASINO_RAW 2"] });
  });

  test("an event that was dropped as a copy of one that was lost", async () => {
    await stopAll();
    await startSteps("currency");
    await send(1, 2);
    await waitFor(async () => (await stored("CASINO_PRICED")) === 2);
    await send(1, 1, { again: true });
    await waitFor(async () => (await stored("CASINO_LEDGER")) === 1);
    await jsm.streams.deleteMessage("CASINO_PRICED", 1);
    await startAll();
    expect(await wrong()).toEqual({
      accounted: [2, "CASINO_RAW 1", "CASINO_RAW 3 (dropped as a copy of casino:test:1, which is nowhere)"],
    });
  });

  test("messages that their consumer will not deliver any more", async () => {
    await stopAll();
    await jsm.consumers.update("CASINO_PRICED", "player", { max_deliver: 1 });
    await startSteps("currency");
    await send(1, 3);
    await waitFor(async () => (await stored("CASINO_PRICED")) === 3);
    const taken = nc.subscribe("taken", { callback: (_err, message) => void message.respond("-NAK") });
    const pull = () =>
      nc.publish(
        "$JS.API.CONSUMER.MSG.NEXT.CASINO_PRICED.player",
        JSON.stringify({ batch: 3, no_wait: true }),
        {
          reply: "taken",
        },
      );
    // The server notices a limit only when it is about to deliver once more.
    await waitFor(async () => {
      pull();
      const { num_pending, num_ack_pending } = await jsm.consumers.info("CASINO_PRICED", "player");
      return num_pending + num_ack_pending === 0;
    });
    taken.unsubscribe();
    expect(await wrong({})).toMatchObject({
      stranded: [3, ...[1, 2, 3].map((seq) => `CASINO_PRICED ${seq}`)],
    });
    expect(troubles(await proof()).materialized?.sentence).toMatch(/\(3 in CASINO_PRICED\): /);
    expect(await wrong({ waitMs: 100 })).toMatchObject({ quiet: [1, "3 in CASINO_PRICED"] });
  });
});
