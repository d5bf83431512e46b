import { pino } from "pino";
import { beforeEach, expect, test } from "vitest";
import { streamsForTest } from "../../test/harness/broker.ts";
import { Marks } from "./marks.ts";

const { nc, jsm } = await streamsForTest();
const bucket = "KV_casino_in_hand";
const logged: string[] = [];
const log = pino({}, { write: (line) => logged.push(line) });
const marksOf = (worker: string, step = "test") => new Marks(nc, { step, worker, replicas: 1, log });
const message = { streamSequence: 7, storedAt: 1_641_817_000_123 };
const none = { workers: [], failures: 0 };

beforeEach(async () => {
  logged.length = 0;
});

test("a batch is suspect to all others of the step while its mark is there", async () => {
  const [a, b, otherStep] = [marksOf("a"), marksOf("b"), marksOf("c", "other")];
  await a.takeTogether([1, 2, 3]);
  expect(await b.suspects()).toEqual(new Set([1, 2, 3]));
  expect(await a.suspects()).toEqual(new Set());
  expect(await otherStep.suspects()).toEqual(new Set());
  await a.layDownTogether();
  expect(await b.suspects()).toEqual(new Set());
  expect((await jsm.streams.info(bucket)).state.messages).toBe(0);
});

test("what has survived is cleared, by several at once, each of them its own part", async () => {
  await marksOf("dead").takeTogether([1, 2, 3]);
  const [a, b] = [marksOf("a"), marksOf("b")];
  await Promise.all([a.suspects(), b.suspects()]);
  await a.clear(new Set([1]));
  // It has seen the mark as it was before: it does not undo what was cleared meanwhile.
  await b.clear(new Set([2]));
  expect(await b.suspects()).toEqual(new Set([2, 3]));
  await b.clear(new Set([2, 3]));
  expect((await jsm.streams.info(bucket)).state.messages).toBe(0);
});

test("workers that do not lay a message down add up; one that does forgives them all, but no failures", async () => {
  const [a, b, c] = [marksOf("a"), marksOf("b"), marksOf("c")];
  expect(await a.countFailure(message)).toBe(1);
  await a.takeAlone(message);
  await b.takeAlone(message);
  expect(await c.trouble(message)).toEqual({ workers: ["a", "b"], failures: 1 });
  await c.takeAlone(message);
  await c.layDownAlone(message);
  expect(await a.trouble(message)).toEqual({ workers: [], failures: 1 });
  expect(await b.countFailure(message)).toBe(2);
});

test("a message that was never in trouble leaves nothing behind", async () => {
  const marks = marksOf("a");
  await marks.takeAlone(message);
  await marks.layDownAlone(message);
  expect((await jsm.streams.info(bucket)).state.messages).toBe(0);
});

test("the message of the same number in a stream made anew is another one", async () => {
  const marks = marksOf("a");
  await marks.takeAlone(message);
  const anew = { ...message, storedAt: message.storedAt + 1 };
  expect(await marks.trouble(anew)).toEqual(none);
  expect(await marks.countFailure(anew)).toBe(1);
});

test("two workers that take a message at once both count", async () => {
  const all = Array.from({ length: 4 }, (_, index) => marksOf(`worker-${index}`));
  await Promise.all(all.map((marks) => marks.takeAlone(message)));
  expect((await marksOf("a").trouble(message)).workers).toHaveLength(4);
});

test("what anybody wrote there does no harm", async () => {
  const marks = marksOf("a");
  await marks.suspects();
  const js = jsm.jetstream();
  await js.publish("$KV.casino_in_hand.test.together.x", '{"not":"a list"}');
  await js.publish("$KV.casino_in_hand.test.together.y", "[1,null,2]");
  await js.publish("$KV.casino_in_hand.test.together.z", "nonsense");
  await js.publish("$KV.casino_in_hand.test.alone.7", `{"at":${message.storedAt},"workers":3}`);
  expect(await marks.suspects()).toEqual(new Set([1, 2]));
  expect(await marks.trouble(message)).toEqual(none);
});

test("says once that the bucket is out of reach, and makes it anew", async () => {
  const marks = marksOf("a");
  await marks.suspects();
  await jsm.streams.delete(bucket);
  expect(await marks.trouble(message)).toEqual(none);
  await marks.takeTogether([1]);
  expect(await marksOf("b").suspects()).toEqual(new Set([1]));
  expect(logged).toHaveLength(1);
  expect(JSON.parse(logged[0] ?? "")).toMatchObject({
    msg: "casino_in_hand is out of reach: events flow, but poison is not found",
  });
});
