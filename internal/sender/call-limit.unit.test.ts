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
  const wake = (name: string) => () => {
    woken.push(name);
    calls.enter(name.slice(0, 1), nothing);
  };
  const [b1, forgotten] = [wake("b1"), wake("forgotten")];
  for (const client of ["a", "a", "b"]) expect(calls.enter(client, nothing)).toBe(true);
  for (const name of ["a1", "a2"]) expect(calls.enter("a", wake(name))).toBe(false);
  expect([calls.enter("b", b1), calls.enter("b", b1), calls.enter("b", forgotten)]).not.toContain(true);
  calls.forget("b", forgotten);
  calls.leave("b");
  await turn();
  // The client a has no more than its share.
  expect(woken).toEqual(["b1"]);
  calls.leave("a");
  await turn();
  expect(woken).toEqual(["b1", "a1"]);
  calls.leave("a");
  calls.leave("b");
  await turn();
  expect(woken).toEqual(["b1", "a1", "a2"]);
});

test("a place that whoever is woken does not want goes to the next one", async () => {
  const calls = new CallLimit(1, 1);
  const woken: string[] = [];
  expect(calls.enter("a", nothing)).toBe(true);
  // Its receiver failed meanwhile.
  calls.enter("b", () => void woken.push("b"));
  calls.enter("c", () => void woken.push(calls.enter("c", nothing) ? "c enters" : "c waits"));
  calls.enter("d", () => void woken.push("d"));
  calls.leave("a");
  await turn();
  expect(woken).toEqual(["b", "c enters"]);
});
