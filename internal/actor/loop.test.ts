import { describe, expect, test } from "vitest";
import { waitFor } from "../../test/harness/wait-for.ts";
import { decodeRaw } from "../casino/decode.ts";
import { idsIn } from "../messages/bundle.fixture.ts";
import { readCopies } from "../messages/copies.ts";
import { bytesOf } from "../messages/enclosed.ts";
import { each, loopForTest, passOn, raw } from "./loop.fixture.ts";
import { deadLetter, forward } from "./step.ts";

const { count, nc, send, settled, start, stored } = await loopForTest();

describe("the actor loop", () => {
  test("forwards an event with its envelope and removes it from its mailbox", async () => {
    await start(passOn);
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const headers = { "Casino-Source": "crm", traceparent };
    // No producer says which accepted event its message is.
    await send(raw(7), { ...headers, "X-Other": "1", "Casino-Accepted": "99 1" });
    const { forwarded, dead } = await settled();
    expect(dead).toEqual([]);
    expect(forwarded).toEqual([
      {
        subject: "casino.event.tested.casino.game_start",
        text: '{"id":7,"player_id":10,"game_id":100,"type":"game_start","created_at":"2022-01-10T12:34:56.000Z"}',
        headers: {
          ...headers,
          "Nats-Msg-Id": expect.stringMatching(/^1 \d{13}:tested$/),
          "Casino-Accepted": expect.stringMatching(/^1 \d{13}$/),
        },
      },
    ]);
  });

  test("gives an event without source and trace its defaults", async () => {
    await start(passOn);
    await send(raw(8));
    const [event] = (await settled()).forwarded;
    expect(event?.headers["Casino-Source"]).toBe("nats");
    expect(event?.headers.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  });

  test("carries the rate beside the event", async () => {
    await start(async (batch) =>
      batch.map(({ event }) => forward(event, { value: "1.0684", at: "2026-01-01T00:00:00.000Z" })),
    );
    await send(raw(9));
    const [event] = (await settled()).forwarded;
    expect(event?.headers).toMatchObject({
      "Casino-Rate": "1.0684",
      "Casino-Rate-At": "2026-01-01T00:00:00.000Z",
    });
  });

  test("sets aside what a step says can never succeed, with the original bytes and headers", async () => {
    await start(each(() => deadLetter("unsupported_currency", "No rate\nfor XYZ.")));
    const payload = `  ${raw(10)}  `;
    await send(payload, {
      "Casino-Source": "crm",
      "X-Other": "kept",
      // Nobody but us says these.
      "Casino-Dead-Reason": "of an earlier letter",
      "Casino-Accepted": "99 1",
      "casino-replays": "7",
      "Casino-Rate": "1.05",
    });
    const { forwarded, dead } = await settled();
    expect(forwarded).toEqual([]);
    expect(dead).toHaveLength(1);
    expect(dead[0]).toMatchObject({ subject: "casino.dead.test.casino", text: payload });
    const { "Casino-Dead-At": at, ...headers } = dead[0]?.headers ?? {};
    expect(Date.parse(at ?? "")).toBeGreaterThan(Date.now() - 60_000);
    expect(headers).toEqual({
      "Casino-Source": "crm",
      "X-Other": "kept",
      "Casino-Dead-Step": "test",
      "Casino-Dead-Reason": "unsupported_currency",
      "Casino-Dead-Error": "No rate for XYZ.",
      "Casino-Dead-Subject": "casino.event.raw.casino",
      "Casino-Dead-Deliveries": "1",
      "Casino-Dead-Message": "CASINO_RAW:1",
      "Casino-Accepted": expect.stringMatching(/^1 \d{13}$/),
      "Nats-Msg-Id": expect.stringMatching(/^\d{13}:1:test:0:dead$/),
    });
  });

  test("writes down which accepted events ended as copies of others, before it lets them go", async () => {
    const run = await start(passOn, undefined, "final");
    await Promise.all(Array.from({ length: 50 }, () => send(raw(70))));
    await waitFor(async () => (await count("CASINO_RAW")) === 0);
    expect(await count("CASINO_EVENTS")).toBe(1);
    const records = await stored("CASINO_COPIES");
    const copies = records.flatMap(({ text }) => [...readCopies(Buffer.from(text))]);
    const numbers = copies.map(({ accepted }) => Number(accepted.split(" ")[0]));
    expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 49 }, (_, index) => index + 2));
    expect(copies[0]).toMatchObject({ event: "casino:nats:70", copyOf: 1 });
    expect(records[0]?.subject).toBe("casino.copies.test");
    expect(run.problem).toBeUndefined();
  });

  test("takes events of one name for different ones until they are final: the door drops none", async () => {
    await start(passOn);
    // One after the other: those in hand together would travel in one message.
    for (let time = 0; time < 3; time++) {
      await send(raw(71));
      await settled();
    }
    const { forwarded } = await settled();
    expect(forwarded.map(({ headers }) => headers["Nats-Msg-Id"])).toEqual(
      forwarded.map(({ headers }) => `${headers["Casino-Accepted"]}:tested`),
    );
    expect(forwarded).toHaveLength(3);
    expect(await count("CASINO_COPIES")).toBe(0);
  });

  test("bad input becomes one dead letter each, and the rest goes on", async () => {
    await start(passOn);
    const bad: readonly [string | Uint8Array, string, Record<string, string>?, string?][] = [
      ["", "invalid_json"],
      ["nonsense", "invalid_json"],
      [Buffer.from([0xff, 0xfe, 0x00]), "invalid_json"],
      ["[]", "invalid_event"],
      ["null", "invalid_event"],
      [`${"[".repeat(500_000)}`, "invalid_json"],
      [`${"[".repeat(400_000)}${"]".repeat(400_000)}`, "invalid_event"],
      ['{"__proto__":{"id":1,"type":"game_start"}}', "invalid_event"],
      [raw(1).replace('"player_id":10,', ""), "invalid_event"],
      [raw(1).replace("2022-01-10", "2022-02-30"), "invalid_event"],
      ['{"id":1,"type":"jackpot","created_at":"2022-01-10T12:34:56Z"}', "unknown_type"],
      [raw(1), "invalid_event", { "Casino-Source": "not a source" }],
      [raw(1), "unknown_client", {}, "NOBODY"],
    ];
    for (const [payload, , headers, client] of bad) await send(payload, headers, client);
    await send(raw(11));
    const { forwarded, dead } = await settled();
    expect(forwarded).toHaveLength(1);
    expect(dead.map((letter) => letter.headers["Casino-Dead-Reason"])).toEqual(
      bad.map(([, reason]) => reason),
    );
    for (const letter of dead) expect(letter.headers["Casino-Dead-Error"]).toMatch(/\w/);
  });

  test("a message with headers that the client library refuses to read is handled like any other", async () => {
    await start(passOn);
    const odd = { encode: () => Buffer.from("NATS/1.0\r\nbad name: 1\r\nCasino-Source: crm\r\n\r\n") };
    nc.publish("casino.event.raw.casino", raw(12), { headers: odd as never }); // only encode is called
    nc.publish("casino.event.raw.casino", "nonsense", { headers: odd as never });
    await waitFor(async () => (await count("CASINO_DEAD")) === 1);
    await waitFor(async () => (await count("CASINO_TESTED")) === 1);
  });

  test("cuts the headers of a letter that would not fit", async () => {
    await start(passOn);
    await send("nonsense", { "X-First": "1", "X-Huge": "x".repeat(20_000), "X-Last": "1" });
    const [letter] = (await settled()).dead;
    expect(letter?.headers["X-First"]).toBe("1");
    expect(letter?.headers["X-Huge"]).toBeUndefined();
    expect(letter?.headers["Casino-Dead-Cut"]).toBe("1 header");
    expect(letter?.headers["Casino-Dead-Reason"]).toBe("invalid_json");
  });

  test("an event too large to be forwarded is set aside", async () => {
    const padding = "x".repeat(1024 * 1024);
    await start(async (batch) => batch.map(({ event }) => forward({ ...event, description: padding })));
    await send(raw(13));
    const { dead } = await settled();
    expect(dead.map((letter) => letter.headers["Casino-Dead-Reason"])).toEqual(["too_large"]);
  });

  test("reads each event for its client, and keeps the order while some are looked up", async () => {
    const asked: string[] = [];
    await start(passOn, (event) => {
      asked.push(event.envelope.client);
      const decoded = decodeRaw(bytesOf(event));
      return decoded.ok && decoded.event.id % 2 === 0 ? Promise.resolve(decoded) : decoded;
    });
    await Promise.all([1, 2, 3, 4].map((id) => send(raw(id), {}, `client-${id}`)));
    const { forwarded } = await settled();
    expect(idsIn(forwarded)).toEqual([1, 2, 3, 4]);
    expect(asked).toEqual(["client-1", "client-2", "client-3", "client-4"]);
  });
});
