import { describe, expect, test } from "vitest";
import type { Outgoing } from "../jetstream/publisher.ts";
import { gameStart, setAside } from "./letters.fixture.ts";
import { lettersForTest } from "./replay.fixture.ts";
import { replay, replayOf, Unreplayable } from "./replay.ts";

const { count, letterOf, options, publisher, stateOf } = await lettersForTest();

const token = "0af7651916cd43dd8448eb211c80319c";

describe("a replay", () => {
  test("refuses an edit that makes another event of it", async () => {
    await setAside(publisher, { payload: gameStart(15) });
    await setAside(publisher, { payload: gameStart(16), failedOn: "casino.event.checked.casino.game_start" });
    await setAside(publisher, { payload: "nonsense" });
    const [raw, checked, nonsense] = [await letterOf(1), await letterOf(2), await letterOf(3)];
    expect(() => replayOf(raw, token, Buffer.from(gameStart(99)))).toThrow(
      "The payload must keep the event's id, 15.",
    );
    expect(() => replayOf(checked, token, Buffer.from(gameStart(16, { type: "game_stop" })))).toThrow(
      `The payload must keep the event's type, "game_start", because it failed in stage checked.`,
    );
    // What had no id may get one.
    expect(replayOf(nonsense, token, Buffer.from(gameStart(99))).subject).toBe("casino.event.raw.casino");
  });

  test("takes a byte order mark before a payload for none of it", async () => {
    const mark = "\uFEFF";
    await setAside(publisher, { payload: mark + gameStart(15, { game_id: 0 }) });
    const letter = await letterOf(1);
    const edited = Buffer.from(mark + gameStart(15));
    expect(Buffer.from(replayOf(letter, token, edited).payload).toString()).toBe(gameStart(15));
    expect(() => replayOf(letter, token, Buffer.from(mark + gameStart(16)))).toThrow(
      "The payload must keep the event's id, 15.",
    );
    // As it was, without an edit.
    expect(Buffer.from(replayOf(letter, token).payload).toString()).toBe(
      mark + gameStart(15, { game_id: 0 }),
    );
  });

  test("of protobuf carries it as such, and an edited payload as JSON", async () => {
    await setAside(publisher, {
      headers: { "Content-Type": "application/x-protobuf" },
      payload: "\u0008\u0001",
    });
    const lines = (message: Outgoing) => Buffer.from(message.headers.encode()).toString();
    const letter = await letterOf(1);
    expect(lines(replayOf(letter, token))).toContain("Content-Type: application/x-protobuf");
    expect(lines(replayOf(letter, token, Buffer.from(gameStart(1))))).not.toContain("Content-Type");
    expect(() => replayOf(letter, token, Buffer.from(gameStart(2)))).toThrow(
      "The payload must keep the event's id, 1.",
    );
  });

  test("to the first stage has no id, and says what the ledger knows of it", async () => {
    await setAside(publisher, {
      payload: gameStart(17),
      headers: {
        "Nats-Msg-Id": "1641817000123:5:currency:2:dead",
        "Casino-Accepted": "5 1641817000123",
        "Casino-Replays": "2",
        "Casino-Replay": "9:forged",
        "Casino-Source": "crm",
        "X-Other": "kept",
      },
    });
    const { headers } = replayOf(await letterOf(1), token);
    expect(Buffer.from(headers.encode()).toString()).toBe(
      `NATS/1.0\r\nCasino-Replays: 3\r\nCasino-Replay: 1:${token}\r\nCasino-Source: crm\r\nX-Other: kept\r\n\r\n`,
    );
  });

  test("past it has an id that nobody can guess, and keeps number and rate", async () => {
    const accepted = { "Casino-Accepted": "5 1641817000123", "Casino-Rate": "1.05" };
    const failedOn = "casino.event.checked.casino.game_start";
    await setAside(publisher, { failedOn, payload: gameStart(17), headers: accepted });
    await setAside(publisher, { failedOn, payload: "nonsense" });
    const lines = async (seq: number) =>
      Buffer.from(replayOf(await letterOf(seq), token).headers.encode()).toString();
    expect(await lines(1)).toBe(
      `NATS/1.0\r\nNats-Msg-Id: casino:nats:17:checked:replay:1:${token}\r\nCasino-Replays: 1\r\nCasino-Accepted: 5 1641817000123\r\nCasino-Rate: 1.05\r\n\r\n`,
    );
    expect(await lines(2)).toContain(`Nats-Msg-Id: casino:checked:replay:2:${token}\r\n`);
  });

  test.each([
    ["", "It does not say where it failed"],
    ["casino.dead.currency.casino", "It does not say where it failed"],
    ["$JS.API.STREAM.DELETE.CASINO_EVENTS", "It does not say where it failed"],
    ["casino.event.checked.casino.*", "It does not say where it failed"],
    ["casino.event.raw.acme", `It lies with client "casino", but failed on casino.event.raw.acme.`],
  ])("goes only to where the letter's client has its events, not to %j", async (failedOn, sentence) => {
    await setAside(publisher, { failedOn });
    const refused = replay(await letterOf(1), options);
    await expect(refused).rejects.toThrow(sentence);
    await expect(refused).rejects.toBeInstanceOf(Unreplayable);
    expect(await count("CASINO_DEAD")).toBe(1);
  });

  test("manages letters of any size, and with headers that libraries refuse", async () => {
    const payload = gameStart(18, { padding: "x".repeat(959 * 1024) });
    await setAside(publisher, { payload, headers: { "bad name": "1" } });
    expect(Buffer.from((await letterOf(1)).payload).toString()).toBe(payload);
    await replay(await letterOf(1), options);
    expect((await stateOf("CASINO_RAW")).messages).toBe(1);
  });
});
