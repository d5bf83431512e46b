import { expect, test } from "vitest";
import { waitFor } from "../../test/harness/wait-for.ts";
import { OutgoingHeaders } from "../jetstream/wire-headers.ts";
import { idsIn } from "../messages/bundle.fixture.ts";
import { bundleLine, bundleMessage } from "../messages/bundle.ts";
import { each, loopForTest, passOn, raw } from "./loop.fixture.ts";
import { deadLetter, later } from "./step.ts";

const { count, publisher, start, stored } = await loopForTest();

const rate = { value: "1.0684", at: "2026-01-01T00:00:00.000Z" };
const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const accepted = (id: number) => `${id} 1641817000123`;
const line = (id: number, client = "casino") =>
  bundleLine({ client, source: "crm", traceparent, accepted: accepted(id), rate }, raw(id));
const bundle = (lines: readonly string[], numbers: readonly string[] = [], id = `test:${Math.random()}`) =>
  publisher.publish(bundleMessage("priced", lines, numbers, id));
/** A step past the first one. */
const second = (enrich: Parameters<typeof start>[0]) => start(enrich, undefined, "tested", "priced");
const settled = () => waitFor(async () => (await count("CASINO_PRICED")) === 0);

test("a bundle is taken apart, and what is in hand goes on as another, with its envelopes", async () => {
  await second(passOn);
  await bundle([line(1), line(2, "other")], [accepted(1), accepted(2)]);
  await settled();
  const [message] = await stored("CASINO_TESTED");
  expect(message?.headers["Casino-Accepted"]).toBe("1-2");
  const lines =
    message?.text
      .trim()
      .split("\n")
      .map((text) => JSON.parse(text)) ?? [];
  expect(lines.map(({ client, event }) => [client, event.id])).toEqual([
    ["casino", 1],
    ["other", 2],
  ]);
  expect(lines[0]).toMatchObject({
    source: "crm",
    traceparent,
    rate: rate.value,
    rate_at: rate.at,
    accepted: accepted(1),
  });
});

test("a dead letter of it is of one event, as if that had come alone", async () => {
  await second(each((id) => (id === 2 ? deadLetter("unknown_client", "Nobody.") : undefined)));
  await bundle([line(1), line(2), line(3)], [1, 2, 3].map(accepted));
  await settled();
  expect(idsIn(await stored("CASINO_TESTED"))).toEqual([1, 3]);
  const [letter] = await stored("CASINO_DEAD");
  expect(letter?.subject).toBe("casino.dead.test.casino");
  expect(JSON.parse(letter?.text ?? "")).toEqual(JSON.parse(raw(2)));
  expect(letter?.headers).toMatchObject({
    "Casino-Source": "crm",
    traceparent,
    "Casino-Rate": rate.value,
    "Casino-Rate-At": rate.at,
    "Casino-Accepted": accepted(2),
    "Casino-Dead-Subject": "casino.event.priced.casino.game_start",
    "Nats-Msg-Id": "1641817000123:2:test:0:dead",
  });
  expect(letter?.headers["Casino-Count"]).toBeUndefined();
});

test("an event that waits leaves it with all that identifies it, and comes back from there", async () => {
  let away = true;
  await second(each((id) => (away && id === 2 ? later("not yet") : undefined)));
  await bundle([line(1), line(2)], [1, 2].map(accepted));
  await settled();
  expect((await stored("CASINO_APART")).map(({ headers }) => headers)).toEqual([
    expect.objectContaining({
      "Casino-Rate": rate.value,
      "Casino-Accepted": accepted(2),
      "Casino-Source": "crm",
    }),
  ]);
  away = false;
  await waitFor(async () => (await count("CASINO_APART")) === 0);
  const [, event] = await stored("CASINO_TESTED");
  expect(event).toMatchObject({
    subject: "casino.event.tested.casino.game_start",
    headers: { "Casino-Rate": rate.value, "Casino-Accepted": accepted(2) },
  });
});

test("a bad line is one letter of nobody, whatever the count says; the others go on", async () => {
  await second(passOn);
  await bundle(
    [line(1), "nonsense\n", `{"client":"_","source":"crm","event":${raw(2)}}\n`, line(3)],
    [accepted(1)],
  );
  await settled();
  expect(idsIn(await stored("CASINO_TESTED"))).toEqual([1, 3]);
  const letters = await stored("CASINO_DEAD");
  expect(letters.map(({ subject, headers }) => [subject, headers["Casino-Dead-Reason"]])).toEqual([
    ["casino.dead.test._", "invalid_event"],
    ["casino.dead.test._", "invalid_event"],
  ]);
  expect(letters[0]?.text).toBe("nonsense");
});

test("an event that is none is a letter of its client, and one of more lines than may be is one letter", async () => {
  await second(passOn);
  await bundle([line(1), bundleLine({ client: "casino", source: "crm", traceparent }, '{"id":0}')]);
  await bundle(
    Array.from({ length: 257 }, (_, index) => line(index + 1)),
    [accepted(7)],
  );
  await bundle(["\n"]);
  await settled();
  expect(idsIn(await stored("CASINO_TESTED"))).toEqual([1]);
  const letters = await stored("CASINO_DEAD");
  expect(letters.map(({ subject }) => subject)).toEqual([
    "casino.dead.test.casino",
    "casino.dead.test._",
    "casino.dead.test._",
  ]);
  expect(letters[0]?.text).toBe('{"id":0}');
  expect(letters[1]?.headers["Casino-Accepted"]).toBe("7");
});

test("what is sent twice travels twice, and is final once", async () => {
  await start(passOn, undefined, "final", "priced");
  for (let time = 0; time < 2; time++) await bundle([line(1), line(2)], [1, 2].map(accepted));
  await settled();
  expect(await count("CASINO_EVENTS")).toBe(2);
  await waitFor(async () => (await count("CASINO_COPIES")) > 0);
});

test("a message of one event that says it is a bundle's subject belongs to nobody", async () => {
  await second(passOn);
  await publisher.publish({
    subject: "casino.event.priced._.bundle",
    payload: raw(1),
    headers: new OutgoingHeaders(),
  });
  await settled();
  expect((await stored("CASINO_DEAD")).map(({ subject }) => subject)).toEqual(["casino.dead.test._"]);
});
