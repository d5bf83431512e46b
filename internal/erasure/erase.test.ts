import { sql } from "kysely";
import { beforeEach, describe, expect, test } from "vitest";
import { defaultLimits, silent, streamsForTest } from "../../test/harness/broker.ts";
import { postgresForTest } from "../../test/harness/infrastructure.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { Archiver } from "../archive/archiver.ts";
import { addClients, archive, archiveForTest, finalBet } from "../archive/database.fixture.ts";
import { untilInsertsOfBefore } from "../archive/erased.ts";
import { setAside } from "../dead-letters/letters.fixture.ts";
import { LetterStore } from "../dead-letters/store.ts";
import { Publisher } from "../jetstream/publisher.ts";
import { readStored } from "../jetstream/stored-message.ts";
import { ensureStreams } from "../jetstream/topology.ts";
import { OutgoingHeaders } from "../jetstream/wire-headers.ts";
import { retryMessage } from "../messages/retry.ts";
import { playerKind } from "../players/player-kind.ts";
import { postgresRecords } from "../records/postgres-records.ts";
import { type ErasureOptions, erasePlayer } from "./erase.ts";

const { nc, jsm } = await streamsForTest();
const db = await archiveForTest((await postgresForTest()).url);
await addClients(db, "other");
const publisher = new Publisher(nc);
const store = new LetterStore(nc);
const players = postgresRecords(db, playerKind);
const { signal } = new AbortController();
const options: ErasureOptions = {
  ...{ nc, db, log: silent, by: "test", signal },
  publish: (message) => publisher.publish(message),
};

beforeEach(async () => {
  await sql`truncate events, players, erasures, deliveries`.execute(db);
  await ensureStreams(nc, ["raw", "priced", "profiled", "apart", "final"], defaultLimits);
});

const email = "john@example.com";
const last_signed_in_at = "2022-01-10T12:34:56.789Z";
/** How often a connection was lost from now on. */
function counted(connection: typeof nc) {
  let lost = 0;
  void (async () => {
    for await (const { type } of connection.status()) if (type === "disconnect") lost++;
  })();
  return { reconnects: () => lost };
}

/** A final event of a player, with its e-mail where it is known. */
const bet = (id: number, player_id = 10, address: string | null = email) => ({
  ...finalBet(id, {
    player_id,
    description: `Player #${player_id}${address === null ? "" : ` (${address})`} placed a bet on a game "(it)".`,
  }),
  ...(address === null ? {} : { player: { email: address, last_signed_in_at } }),
});
const add = (id: number, address = email, client = "casino") =>
  players.put(client, [{ id, email: address, last_signed_in_at }], signal);

/** The archive's rows by id, as the e-mail and the sentence. */
async function rows(): Promise<Readonly<Record<string, string>>> {
  const found = await sql<Record<"key" | "email" | "at" | "description", string | null>>`
    select client_id || ' ' || id as key, player_email as email, player_last_signed_in_at as at, description
    from events order by client_id, id`.execute(db);
  return Object.fromEntries(
    found.rows.map((row) => [
      row.key,
      `${row.email} ${row.at === null ? "never" : "signed in"}: ${row.description}`,
    ]),
  );
}
const kept = (player = 10, address = email) =>
  `${address} signed in: Player #${player} (${address}) placed a bet on a game "(it)".`;
const gone = 'null never: Player #10 placed a bet on a game "(it)".';

describe("the archive", () => {
  test("loses the player's e-mail, in rows and sentences, and no other's", async () => {
    await Promise.all([add(10), add(11), add(10, email, "other")]);
    await archive(db, [bet(1), bet(2, 10, "older@x"), bet(3, 11), bet(4, 10, null)]);
    await archive(db, [bet(1)], { client: "other" });
    await sql`
      insert into deliveries (destination_id, client_id, source, event_id, event_type, webhook_id, attempt, outcome, duration_ms, answer, at)
      select 'd', 'casino', 'test', id, 'bet', 'w', 1, 'failed', 1, 'no such thing as john@example.com', now()
      from unnest(array[1, 3, 4]) as id`.execute(db);
    expect(await erasePlayer("casino", 10, options)).toMatchObject({
      ...{ client_id: "casino", player_id: 10, requested_by: "test" },
      done: {
        players: 1,
        events: 2,
        delivery_answers: 2,
        dead_letters_rewritten: 0,
        dead_letters_removed: 0,
      },
      remains: [],
    });
    const other = { "other 1": kept(), "casino 3": kept(11) };
    expect(await rows()).toEqual({ "casino 1": gone, "casino 2": gone, "casino 4": gone, ...other });
    const answers = await sql`select event_id from deliveries where answer is not null`.execute(db);
    expect(answers.rows).toEqual([{ event_id: "3" }]);
    expect(await players.find("casino", 10, signal)).toBeUndefined();
    expect(await players.find("other", 10, signal)).toMatchObject({ email });
    expect(await erasePlayer("casino", 10, options)).toMatchObject({
      done: { players: 0, events: 0 },
      counts: { players: 1, events: 2 },
    });
  });

  test("loses it however many events there are at one time", async () => {
    const same = Array.from({ length: 2_345 }, (_, index) => bet(index + 1));
    for (let from = 0; from < same.length; from += 1_000) await archive(db, same.slice(from, from + 1_000));
    expect((await erasePlayer("casino", 10, options)).done.events).toBe(2_345);
    expect(new Set(Object.values(await rows()))).toEqual(new Set([gone]));
  });

  test("gets nothing back from events that come late, and keeps what a player has who is there again", async () => {
    await add(10);
    const publish = (id: number, address: string) =>
      publisher.publish({
        subject: "casino.event.final.casino.bet",
        payload: JSON.stringify(bet(id, 10, address)),
        headers: new OutgoingHeaders().add("Nats-Msg-Id", `${id}`).add("Casino-Source", "test"),
      });
    await publish(1, email);
    await jsm.jetstream().publish("casino.event.profiled.casino.bet", "1");
    expect((await erasePlayer("casino", 10, options)).remains).toEqual([
      { stream: "CASINO_PROFILED", messages: 1, until: null },
      { stream: "CASINO_EVENTS", messages: 1, until: expect.stringMatching(/^20.*Z$/) },
    ]);
    await add(10, "new@x");
    await publish(2, "new@x");
    await publish(3, email);
    const archiver = await Archiver.start({ nc, db, publisher, log: silent });
    try {
      await waitFor(async () => Object.keys(await rows()).length === 3);
    } finally {
      await archiver.stop();
    }
    expect(await rows()).toEqual({ "casino 1": gone, "casino 2": kept(10, "new@x"), "casino 3": gone });
  });

  test("is looked at once inserts that began before have ended, of which any may have missed the record", async () => {
    let waited = false;
    await db.transaction().execute(async (trx) => {
      await sql`
        insert into events (client_id, source, id, type, created_at, description, stored_at)
        values ('casino', 'test', 1, 'bet', now(), '', now())`.execute(trx);
      const waiting = untilInsertsOfBefore(db, signal).then(() => {
        waited = true;
      });
      await sql`select pg_sleep(0.1)`.execute(trx);
      expect(waited).toBe(false);
      return { waiting };
    });
    await waitFor(() => waited);
  });
});

describe("dead letters", () => {
  const profiled = { step: "description", failedOn: "casino.event.profiled.casino.bet" };
  const erased = async (seq: number) => (await store.lastRecord(await letterOf(seq))).record;
  const letterOf = async (seq: number) => {
    const letter = await store.read(seq);
    if (letter === undefined) throw new Error(`there is no letter ${seq}`);
    return letter;
  };
  const payloadOf = async (seq: number) => Buffer.from((await letterOf(seq)).payload).toString();

  test("that name the person are written anew, or go where nobody can read them; the ledger has them", async () => {
    await add(10);
    const payload = JSON.stringify(bet(1));
    const headers = {
      "Nats-Msg-Id": "1:5:description:0:dead",
      "Casino-Accepted": "5 1",
      "X-Contact": `to ${email}`,
    };
    const named = await setAside(publisher, { ...profiled, payload, headers });
    const broken = await setAside(publisher, { payload: `{"email":"${email}"`, reason: "invalid_json" });
    const others = await setAside(publisher, { ...profiled, payload: JSON.stringify(bet(2, 11)) });
    const without = await setAside(publisher, { payload: JSON.stringify(bet(3, 10, null)) });
    const brokenHead = await letterOf(broken);
    expect((await erasePlayer("casino", 10, options)).done).toMatchObject({
      dead_letters_rewritten: 1,
      dead_letters_removed: 1,
    });
    for (const seq of [named, broken]) expect(await store.read(seq)).toBeUndefined();
    expect(await payloadOf(others)).toContain(email);
    expect(await letterOf(without)).toMatchObject({ seq: without });
    const anew = await letterOf(without + 1);
    expect(anew).toMatchObject({ client: "casino", ...profiled, accepted: "5 1", isWhole: true });
    expect(anew.headers.get("X-Contact")).toBe("to [erased]");
    expect(anew.headers.get("Casino-Dead-Erased")).toMatch(/^20.*Z$/);
    const { player: _, ...event } = bet(1);
    const description = 'Player #10 placed a bet on a game "(it)".';
    expect(JSON.parse(Buffer.from(anew.payload).toString())).toEqual({ ...event, description });
    const records = jsm.streams.get("CASINO_LEDGER").then((ledger) => ledger.getMessage({ seq: 1 }));
    expect((await records)?.json()).toMatchObject({
      kind: "erased",
      accepted: "5 1",
      storedAs: `CASINO_DEAD:${anew.seq}`,
      by: "test",
    });
    expect((await store.lastRecord(brokenHead)).record).toMatchObject({ kind: "erased", letter: broken });
    expect((await store.lastRecord(brokenHead)).record?.storedAs).toBeUndefined();
  });

  test("of many clients lose the person alone", async () => {
    const line = (client: string, event: object) => `${JSON.stringify({ client, source: "crm", event })}\n`;
    const payload = line("casino", bet(1)) + line("other", bet(1)) + line("casino", bet(2, 11));
    const failedOn = "casino.event.profiled._.bundle";
    const seq = await setAside(publisher, { step: "description", client: "_", failedOn, payload });
    await erasePlayer("casino", 10, options);
    const { player: _, ...event } = bet(1);
    const without = { ...event, description: 'Player #10 placed a bet on a game "(it)".' };
    expect(await payloadOf(seq + 1)).toBe(
      line("casino", without) + line("other", bet(1)) + line("casino", bet(2, 11)),
    );
  });

  test("are read a few at a time, however large, so that the server does not cut us off", async () => {
    const payload = `{"player_id":11,"note":"${"x".repeat(1_000_000)}"}`;
    for (let n = 0; n < 90; n++) await setAside(publisher, { payload });
    const { reconnects } = counted(nc);
    expect((await erasePlayer("casino", 10, options)).done.dead_letters_rewritten).toBe(0);
    expect(reconnects()).toBe(0);
  });

  test("that are nested too deeply to be rewritten do not stop it", async () => {
    await add(10);
    const deep = (inside: string) => `${'{"a":'.repeat(100_000)}${inside}${"}".repeat(100_000)}`;
    const without = await setAside(publisher, { payload: deep("1"), reason: "invalid_event" });
    const named = await setAside(publisher, { payload: deep(`"${email}"`), reason: "invalid_event" });
    expect((await erasePlayer("casino", 10, options)).done).toMatchObject({
      players: 1,
      dead_letters_rewritten: 0,
      dead_letters_removed: 1,
    });
    expect(await store.read(named)).toBeUndefined();
    expect(await letterOf(without)).toMatchObject({ seq: without });
  });

  test("are written anew once, also when it was cut off between that and the removal", async () => {
    await add(10);
    const headers = { "Nats-Msg-Id": "1:5:description:0:dead" };
    const seq = await setAside(publisher, { ...profiled, payload: JSON.stringify(bet(1)), headers });
    const cutOff: ErasureOptions["publish"] = (message) =>
      message.subject.startsWith("casino.ledger")
        ? Promise.reject(new Error("cut off"))
        : publisher.publish(message);
    await expect(erasePlayer("casino", 10, { ...options, publish: cutOff })).rejects.toThrow("cut off");
    expect(await erased(seq)).toBeUndefined();
    // Past the time in which the broker knows the id.
    await jsm.streams.update("CASINO_DEAD", { duplicate_window: 100_000_000 });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await erasePlayer("casino", 10, options)).done.dead_letters_rewritten).toBe(1);
    expect((await jsm.streams.info("CASINO_DEAD")).state.messages).toBe(1);
    expect(await payloadOf(seq + 1)).not.toContain(`"email"`);
  });
});

test("deliveries that wait for their next attempt lose the person, and keep their time", async () => {
  await ensureStreams(nc, ["retry"], defaultLimits);
  await add(10);
  const waiting = (id: number, client: string, player: number) =>
    publisher.publish(
      retryMessage({
        destination: "d1",
        key: { client, source: "crm", id },
        subject: `casino.event.final.${client}.bet`,
        payload: JSON.stringify(bet(id, player)),
        ...{ sequence: id, attempts: 3, due: 5_000, origin: "log", error: "503", identity: {} },
      }),
    );
  await waiting(1, "casino", 10);
  await waiting(2, "other", 10);
  await waiting(3, "casino", 11);
  expect((await erasePlayer("casino", 10, options)).done.delivery_retries).toBe(1);
  const left = await Promise.all([1, 2, 3, 4].map((seq) => readStored(nc, "CASINO_RETRY", seq)));
  const { player: _, ...event } = bet(1);
  const without = { ...event, description: 'Player #10 placed a bet on a game "(it)".' };
  expect(left.map((message) => message && JSON.parse(Buffer.from(message.data).toString()))).toEqual([
    undefined,
    bet(2),
    bet(3, 11),
    without,
  ]);
  expect(left[3]).toMatchObject({ subject: "casino.delivery.retry.d1" });
  for (const [name, value] of Object.entries({ Attempts: "3", Due: "5000", Sequence: "1" }))
    expect(left[3]?.headers.get(`Casino-Delivery-${name}`)).toBe(value);
});
