import { expect, test } from "vitest";
import { CallLimit } from "./call-limit.ts";

const nothing = () => undefined;
const turn = () => new Promise((resolve) => setImmediate(resolve));

test("a client with many slow receivers leaves places to others", () => {
  const calls = new CallLimit(4, 2);
  expect([1, 2, 3].map(() => calls.enter("slow", () => undefined))).toEqual([true, true, false]);
  expect([1, 2, 3].map(() => calls.enter("other", () => undefined))).toEqual([true, true, false]);
  expect(calls.enter("third", nothing)).toBe(false);
});

test("whoever waits is woken when there is a place for its client, and clients take turns", async () => {
  const calls = new CallLimit(3, 2);
  const woken: string[] = [];
  const wake = (name: string) => () => void woken.push(name);
  const [b1, forgotten] = [wake("b1"), wake("forgotten")];
  for (const client of ["a", "a", "b"]) expect(calls.enter(client, nothing)).toBe(true);
  for (const name of ["a1", "a2"]) expect(calls.enter("a", wake(name))).toBe(false);
  expect([calls.enter("b", b1), calls.enter("b", b1), calls.enter("b", forgotten)]).not.toContain(true);
  calls.forget("b", forgotten);
  calls.leave("b");
  await turn();
  // The client a has no more than its share.
  expect(woken).toEqual(["b1"]);
  expect(calls.enter("b", nothing)).toBe(true);
  calls.leave("a");
  await turn();
  expect(woken).toEqual(["b1", "a1"]);
  calls.leave("a");
  calls.leave("b");
  await turn();
  expect(woken).toEqual(["b1", "a1", "a2"]);
});
