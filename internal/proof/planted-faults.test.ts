import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { waitFor } from "../../test/harness/wait-for.ts";
import { recordOf } from "../dead-letters/removal.ts";
import { OutgoingHeaders } from "../jetstream/wire-headers.ts";
import { copiesMessage } from "../messages/copies.ts";
import { ledgerMessage } from "../messages/ledger.ts";
import { partSubject } from "../messages/subjects.ts";
import { dead, events, systemForTest, troubles } from "./system.fixture.ts";

const { db, jsm, nc, proof, publisher, send, settled, startAll, startSteps, stopAll, store, stored, wrong } =
  await systemForTest();

describe("a fault is named:", () => {
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
    await send(1, 2);
    await settled();
    await send(1, 1);
    await waitFor(async () => (await stored("CASINO_COPIES")) === 1);
    await settled();
    await jsm.streams.deleteMessage(events, 1);
    expect(await wrong()).toMatchObject({
      accounted: [2, "CASINO_RAW 1", "CASINO_RAW 3 (dropped as a copy of casino:test:1, which is nowhere)"],
    });
  });

  test("an event that was written down as a copy of one that was never there", async () => {
    await send(1, 3);
    await settled();
    await stopAll();
    await send(4, 4);
    await jsm.streams.purge("CASINO_RAW");
    const copy = { accepted: `4 ${Date.now()}`, event: "casino:test:4", copyOf: 1 };
    await publisher.publish(copiesMessage("description", events, [copy]));
    await startAll();
    expect(await wrong()).toMatchObject({
      accounted: [1, "CASINO_RAW 4 (dropped as a copy of casino:test:4, which is nowhere)"],
    });
  });

  test("a dead letter that went as sent again, where somebody else's message lies", async () => {
    await send(1, 1, { currency: "XYZ" });
    await settled();
    await send(2, 2);
    await settled();
    const letter = await store.read(1);
    if (letter === undefined) throw new Error("there is no letter");
    const record = recordOf("replayed", letter, "test");
    await publisher.publish(ledgerMessage({ ...record, storedAs: "CASINO_RAW:2" }));
    await store.remove(letter);
    expect(await wrong()).toEqual({ resent: [1, "CASINO_DEAD 1 (not what lies at CASINO_RAW:2)"] });
  });

  test("a part of the bytes of a dead letter that did not fit into it", async () => {
    const subject = "casino.dead.currency.casino";
    const put = (to: string, parts: string) =>
      publisher.publish({
        subject: to,
        payload: "x",
        headers: new OutgoingHeaders().add("Casino-Dead-Parts", parts),
      });
    await put(subject, "");
    await put(partSubject(subject), "");
    await put(subject, "2");
    expect(troubles(await proof())).not.toHaveProperty("cut");
    await jsm.streams.deleteMessage(dead, 2);
    expect((await wrong()).cut).toEqual([1, "CASINO_DEAD 3 (its part 2)"]);
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
    expect(troubles(await proof()).materialized?.sentence).toMatch(/\(3 messages in CASINO_PRICED\): /);
    expect(await wrong({ waitMs: 100 })).toMatchObject({ quiet: [1, "3 messages in CASINO_PRICED"] });
  });
});
