import { expect, test } from "vitest";
import { FairQueue } from "./fair-queue.ts";

function filled(): FairQueue<string> {
  const queue = new FairQueue<string>();
  for (const entry of ["a1", "a2", "a3", "b1", "c1", "c2"]) queue.push(entry.charAt(0), entry);
  return queue;
}

test("takes one of each owner in turn, each owner's in order", () => {
  const queue = filled();
  expect([queue.size, queue.sizeOf("a"), queue.sizeOf("d")]).toEqual([6, 3, 0]);
  expect(Array.from({ length: 7 }, () => queue.shift())).toEqual([
    "a1",
    "b1",
    "c1",
    "a2",
    "c2",
    "a3",
    undefined,
  ]);
  expect([queue.size, queue.sizeOf("a")]).toEqual([0, 0]);
});

test("passes over owners that may have nothing now, which keep their turn", () => {
  const queue = filled();
  expect(queue.shift((owner) => owner !== "a")).toBe("b1");
  expect(queue.shift()).toBe("a1");
  expect(queue.shift(() => false)).toBeUndefined();
  expect(queue.size).toBe(4);
});

test("forgets what waits no longer", () => {
  const queue = filled();
  queue.remove("a", "a2");
  queue.remove("b", "b1");
  queue.remove("b", "b1");
  expect(queue.size).toBe(4);
  expect(Array.from({ length: 4 }, () => queue.shift())).toEqual(["a1", "c1", "a3", "c2"]);
});
