import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Delivery } from "./delivery.ts";
import { LastAck } from "./last-ack.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const acked: string[] = [];
afterEach(() => void acked.splice(0));

/** A delivery that notes when it is acknowledged. */
const delivery = (name: string, movedOut = 0) =>
  ({ movedOut, ack: () => void acked.push(name) }) as unknown as Delivery; // nothing else is used

test("the last message is acknowledged with the next one", () => {
  const last = new LastAck();
  last.ack(delivery("one"));
  expect(acked).toEqual([]);
  last.release();
  expect(acked).toEqual(["one"]);
  last.ack(delivery("two"));
  last.ack(delivery("three"));
  expect(acked).toEqual(["one", "two"]);
});

test("or after a tenth of a second, once", () => {
  const last = new LastAck();
  vi.advanceTimersByTime(1_000);
  last.ack(delivery("one"));
  vi.advanceTimersByTime(99);
  expect(acked).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(acked).toEqual(["one"]);
  last.release();
  expect(acked).toEqual(["one"]);
});

test("or at once, when some of its events have left it", () => {
  const last = new LastAck();
  last.ack(delivery("one"));
  last.ack(delivery("two", 1));
  expect(acked).toEqual(["one", "two"]);
});
