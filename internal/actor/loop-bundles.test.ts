import { describe, expect, test } from "vitest";
import { waitFor } from "../../test/harness/wait-for.ts";
import { decodeRaw } from "../casino/decode.ts";
import { idsIn } from "../messages/bundle.fixture.ts";
import { bytesOf } from "../messages/enclosed.ts";
import { Unavailable } from "../service/unavailable.ts";
import { each, loopForTest, passOn, raw } from "./loop.fixture.ts";
import { deadLetter, forward, later } from "./step.ts";

const { count, jsm, nc, send, settled, start, stored } = await loopForTest();

const array = (...ids: readonly number[]) => `[${ids.map(raw).join(", ")}]`;
const ndjson = { "Content-Type": "application/x-ndjson" };

describe("a message that carries several events", () => {
  test("goes on as a bundle, each event with the number of its own", async () => {
    await start(passOn);
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    await send(array(1, 2, 3), { traceparent, "Casino-Source": "crm" });
    const { forwarded, dead } = await settled();
    expect(dead).toEqual([]);
    expect(forwarded).toHaveLength(1);
    const [bundle] = forwarded;
    expect(bundle).toMatchObject({
      subject: "casino.event.tested._.bundle",
      headers: {
        "Content-Type": "application/x-ndjson",
        "Casino-Count": "3",
        "Casino-Accepted": "1.1-3/3",
        "Nats-Msg-Id": expect.stringMatching(/:\d+$/),
      },
    });
    const lines =
      bundle?.text
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)) ?? [];
    expect(lines.map(({ event }) => event.id)).toEqual([1, 2, 3]);
    expect(lines[1]).toMatchObject({
      client: "casino",
      source: "crm",
      traceparent,
      accepted: expect.stringMatching(/^1\.2\/3 \d{13}$/),
    });
  });

  test("in lines is read like one in an array; a single one goes on by itself", async () => {
    await start(passOn);
    await send(`\n${raw(1)}\r\n  \n${raw(2)}`, ndjson);
    await waitFor(async () => (await count("CASINO_RAW")) === 0);
    await send(`[ ${raw(3)} ]`);
    const { forwarded } = await settled();
    expect(forwarded.map(({ headers }) => headers["Casino-Accepted"])).toEqual([
      "1.1-2/2",
      expect.stringMatching(/^2 \d{13}$/),
    ]);
    expect(forwarded[1]?.subject).toBe("casino.event.tested.casino.game_start");
    expect(idsIn(forwarded)).toEqual([1, 2, 3]);
  });

  test("is set aside by the event, each with its own bytes, and the others go on", async () => {
    await start(each((id) => (id === 3 ? deadLetter("unsupported_currency", "No rate.") : undefined)));
    await send(`[${raw(1)}, {"id":2} ,${raw(3)},${raw(4)}]`, { "X-Own": "1", "Casino-Source": "crm" });
    const { forwarded, dead } = await settled();
    expect(idsIn(forwarded)).toEqual([1, 4]);
    expect(forwarded[0]?.headers["Casino-Accepted"]).toBe("1.1/4,1.4/4");
    expect(dead.map(({ text }) => text)).toEqual(['{"id":2}', raw(3)]);
    expect(dead.map(({ headers }) => headers["Casino-Accepted"]?.split(" ")[0])).toEqual(["1.2/4", "1.3/4"]);
    for (const { subject, headers } of dead) {
      expect(subject).toBe("casino.dead.test.casino");
      expect(headers).toMatchObject({
        "Casino-Source": "crm",
        "Casino-Dead-Subject": "casino.event.raw.casino",
      });
      expect(headers["Nats-Msg-Id"]).toMatch(/^\d{13}:1\.[23]\/4:test:0:dead$/);
      // Only what identifies the event.
      expect(headers["X-Own"]).toBeUndefined();
    }
  });

  test("becomes one letter when it cannot be read as a message", async () => {
    await start(passOn);
    const bad: readonly [string, string, Record<string, string>?][] = [
      ["[]", "invalid_event"],
      [`[${raw(1)}, nonsense]`, "invalid_json"],
      [`[${raw(1)}`, "invalid_json"],
      ["\n\n", "invalid_json", ndjson],
      [array(...Array(1_001).keys()), "too_large"],
    ];
    for (const [payload, , headers] of bad) await send(payload, headers);
    const { forwarded, dead } = await settled();
    expect(forwarded).toEqual([]);
    expect(dead.map(({ text, headers }) => [text, headers["Casino-Dead-Reason"]])).toEqual(
      bad.map(([payload, reason]) => [payload, reason]),
    );
  });

  test("of a thousand events is asked about in calls of 256 at most", async () => {
    const calls: number[] = [];
    await start(async (batch) => {
      calls.push(batch.length);
      return batch.map(({ event }) => forward(event));
    });
    const ids = Array.from({ length: 1_000 }, (_, index) => index + 1);
    await send(array(...ids));
    const { forwarded } = await settled();
    expect(idsIn(forwarded)).toEqual(ids);
    expect(calls).toEqual([256, 256, 256, 232]);
    expect(forwarded[3]?.headers["Casino-Accepted"]).toBe("1.769-1000/1000");
  });

  test("is left by what has to wait, which holds up none of the others, and comes again", async () => {
    let away = true;
    const isAway = (id: number) => away && id % 2 === 0;
    await start(
      each((id) => (isAway(id) ? later("not yet") : undefined)),
      async (event) => {
        if (away && Buffer.from(bytesOf(event)).includes('"id":3,')) throw new Unavailable("types are away");
        return decodeRaw(bytesOf(event));
      },
    );
    await send(array(1, 2, 3, 4, 5), { "Casino-Source": "crm" });
    await waitFor(async () => (await count("CASINO_RAW")) === 0);
    expect(idsIn(await stored("CASINO_TESTED"))).toEqual([1, 5]);
    const apart = await stored("CASINO_APART");
    expect(idsIn(apart).toSorted()).toEqual([2, 3, 4]);
    expect(apart.find(({ text }) => text === raw(2))).toMatchObject({
      subject: "casino.event.apart.test.casino",
      headers: {
        "Casino-Source": "crm",
        "Casino-Accepted": expect.stringMatching(/^1\.2\/5 \d{13}$/),
        "Nats-Msg-Id": expect.stringMatching(/^1\.2\/5 \d{13}:test:apart$/),
      },
    });
    away = false;
    await waitFor(async () => (await count("CASINO_APART")) === 0);
    expect(idsIn(await stored("CASINO_TESTED")).toSorted()).toEqual([1, 2, 3, 4, 5]);
  });

  test("that cannot be left now is held, and asks for more room", async () => {
    let away = true;
    const run = await start(each((id) => (away && id === 2 ? later("not yet") : undefined)));
    await jsm.streams.update("CASINO_APART", { max_msgs: 1 });
    nc.publish("casino.event.apart.other.casino", "full");
    await send(array(1, 2));
    await waitFor(() => run.problem !== undefined);
    expect(await count("CASINO_RAW")).toBe(1);
    expect((await jsm.consumers.info("CASINO_RAW", "test")).num_redelivered).toBe(0);
    away = false;
    await jsm.streams.update("CASINO_APART", { max_msgs: -1 });
    await waitFor(async () => (await count("CASINO_RAW")) === 0 && (await count("CASINO_APART")) === 1);
    expect(idsIn(await stored("CASINO_TESTED"))).toEqual([1, 2]);
  });

  test("on one event of which the step fails sets that one aside, and no other", async () => {
    await start(async (batch) => {
      if (batch.some(({ event }) => event.id === 41)) throw new TypeError("a bug");
      return batch.map(({ event }) => forward(event));
    });
    await send(array(40, 41, 42, 43, 44));
    await waitFor(async () => (await count("CASINO_DEAD")) === 1);
    await settled();
    expect(idsIn(await stored("CASINO_TESTED")).toSorted()).toEqual([40, 42, 43, 44]);
    const [letter] = await stored("CASINO_DEAD");
    expect(letter).toMatchObject({
      text: raw(41),
      subject: "casino.dead.test.casino",
      headers: {
        "Casino-Dead-Reason": "max_deliveries",
        "Casino-Dead-Subject": "casino.event.raw.casino",
        "Casino-Accepted": expect.stringMatching(/^1\.2\/5 /),
      },
    });
    await waitFor(async () => (await count("CASINO_APART")) === 0);
  });

  test("is handed back whole at a stop, also when a part of it is stored", async () => {
    const run = await start(
      each((id) => (id === 2 ? later("not yet") : undefined)),
      undefined,
      "final",
    );
    await jsm.streams.update("CASINO_APART", { max_msgs: 1 });
    nc.publish("casino.event.apart.other.casino", "full");
    await send(array(1, 2, 3));
    await waitFor(() => run.problem !== undefined);
    await waitFor(async () => (await count("CASINO_EVENTS")) === 2);
    await run.stop();
    expect(await count("CASINO_RAW")).toBe(1);
    await start(passOn, undefined, "final");
    await waitFor(async () => (await count("CASINO_RAW")) === 0);
    expect(await count("CASINO_EVENTS")).toBe(3);
    expect(await count("CASINO_DEAD")).toBe(0);
  });
});
