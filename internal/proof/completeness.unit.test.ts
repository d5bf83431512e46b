import { expect, test } from "vitest";
import type { StreamState } from "../jetstream/stream-state.ts";
import { beganAt, completeSince, isMadeAnew } from "./completeness.ts";
import { emptyStream } from "./reconciliation.examples.ts";

const hour = 3_600_000;
const now = 1_000 * hour;
/** A stream that was made 100 hours ago, keeps 24 of them, and is half full. */
const state: StreamState = {
  ...emptyStream,
  stream: "CASINO_EVENTS",
  created: now - 100 * hour,
  maxAgeMs: 24 * hour,
  maxBytes: 1_000,
  messages: 10,
  bytes: 500,
  firstSeq: 91,
  lastSeq: 100,
  firstAt: now - 10 * hour,
  lastAt: now,
};

test.each<[string, Partial<StreamState>, number]>([
  ["everything, while its first message is there", { firstSeq: 1 }, 0],
  [
    "what is not of age, when its first message is about to go",
    { firstSeq: 1, firstAt: now - 23.9 * hour },
    23.76,
  ],
  [
    "everything, while it holds none and never did",
    { firstSeq: 0, lastSeq: 0, messages: 0, bytes: 0, firstAt: 0, lastAt: 0 },
    0,
  ],
  // A little less than 24 hours: reading takes its time.
  ["what is not of age", {}, 23.76],
  ["what is not of age, however late the first message that is left came", { firstAt: now - hour }, 23.76],
  ["what is not of age, also when nothing is left", { messages: 0, bytes: 0, firstAt: 0 }, 23.76],
  ["all but the oldest that are left, when it is full", { bytes: 950 }, 9],
  ["all but the oldest that are left, when it has dropped large ones", { bytes: 800 }, 9],
  ["everything, while it is nearly full and has dropped none", { bytes: 800, firstSeq: 1 }, 0],
  ["everything, when it is too young to have let anything go", { created: now - 20 * hour }, 0],
  ["everything, without limits", { maxAgeMs: 0, maxBytes: 0 }, 0],
])("a stream must still have %s", (_what, more, hours) => {
  const since = completeSince({ ...state, ...more }, now);
  expect(since).toBe(hours === 0 ? 0 : now - hours * hour);
});

test("a stream was made anew when it is much younger than the pipeline, whoever made that", () => {
  const aged = (hours: number) => ({ ...state, created: now - hours * hour });
  expect(isMadeAnew(aged(100), aged(100))).toBe(false);
  expect(isMadeAnew({ ...aged(100), created: aged(100).created + 5_000 }, aged(100))).toBe(false);
  expect(isMadeAnew(aged(99), aged(100))).toBe(true);
});

test("in a cluster, which does not say when a stream was made, it begins with its first message", () => {
  const unknown = { ...state, created: 0 };
  expect([state, unknown, { ...unknown, firstAt: 0 }].map((it) => beganAt(it, now))).toEqual([
    state.created,
    state.firstAt,
    now,
  ]);
  expect(isMadeAnew(unknown, unknown)).toBe(false);
  expect(completeSince({ ...unknown, firstSeq: 1 }, now)).toBe(0);
});
