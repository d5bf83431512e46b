import { describe, expect, test } from "vitest";
import type { Outgoing } from "../jetstream/publisher.ts";
import { gameStart, setAside } from "./letters.fixture.ts";
import { count, letterOf, options, publisher, stateOf } from "./replay.fixture.ts";
import { replay, replayOf, Unreplayable } from "./replay.ts";

describe("a replay", () => {
  test("refuses an edit that makes another event of it", async () => {
    await setAside(publisher, { payload: gameStart(15) });
    await setAside(publisher, { payload: gameStart(16), failedOn: "casino.event.checked.casino.game_start" });
    await setAside(publisher, { payload: "nonsense" });
    const [raw, checked, nonsense] = [await letterOf(1), await letterOf(2), await letterOf(3)];
    expect(() => replayOf(raw, Buffer.from(gameStart(99)))).toThrow(
      "The payload must keep the event's id, 15.",
    );
    expect(() => replayOf(checked, Buffer.from(gameStart(16, { type: "game_stop" })))).toThrow(
      `The payload must keep the event's type, "game_start", because it failed in stage checked.`,
    );
    // What had no id may get one.
    expect(replayOf(nonsense, Buffer.from(gameStart(99))).subject).toBe("casino.event.raw.casino");
  });

  test("of protobuf carries it as such, and an edited payload as JSON", async () => {
    await setAside(publisher, {
      headers: { "Content-Type": "application/x-protobuf" },
      payload: "\u0008\u0001",
    });
    const lines = (message: Outgoing) => Buffer.from(message.headers.encode()).toString();
    const letter = await letterOf(1);
    expect(lines(replayOf(letter))).toContain("Content-Type: application/x-protobuf");
    expect(lines(replayOf(letter, Buffer.from(gameStart(1))))).not.toContain("Content-Type");
    expect(lines(replayOf(letter))).toContain("Nats-Msg-Id: casino:nats:1:raw:replay:1");
    expect(() => replayOf(letter, Buffer.from(gameStart(2)))).toThrow(
      "The payload must keep the event's id, 1.",
    );
  });

  test("has an id of its own, the same for every attempt", async () => {
    await setAside(publisher, {
      payload: gameStart(17),
      headers: { "Casino-Source": "crm", "X-Other": "kept" },
    });
    await setAside(publisher, { payload: "nonsense", headers: { "Nats-Msg-Id": "CASINO_RAW:5:dead" } });
    const lines = async (seq: number) =>
      Buffer.from(replayOf(await letterOf(seq)).headers.encode()).toString();
    expect(await lines(1)).toBe(
      "NATS/1.0\r\nNats-Msg-Id: casino:crm:17:raw:replay:1\r\nCasino-Replays: 1\r\nCasino-Source: crm\r\nX-Other: kept\r\n\r\n",
    );
    expect(await lines(2)).toBe(
      "NATS/1.0\r\nNats-Msg-Id: CASINO_RAW:5:dead:replay:2\r\nCasino-Replays: 1\r\n\r\n",
    );
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
