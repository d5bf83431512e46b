import { expect, test } from "vitest";
import { SlotMap } from "./slot-map.ts";

test("each thing has a slot of its own, which is used again when the thing is gone", () => {
  const slots = new SlotMap<{ name: string }>();
  const [a, b, c] = ["a", "b", "c"].map((name) => ({ name }));
  if (a === undefined || b === undefined || c === undefined) throw new Error("three were made");
  const [atA, atB] = [slots.add(a), slots.add(b)];
  expect(atA).not.toBe(atB);
  expect([slots.at(atA), slots.at(atB), slots.size]).toEqual([a, b, 2]);
  slots.remove(atA);
  slots.remove(atA);
  expect([slots.at(atA), slots.size, slots.all()]).toEqual([undefined, 1, [b]]);
  expect(slots.add(c)).toBe(atA);
  expect(slots.all()).toEqual([c, b]);
});

test("there is nothing in a slot that was never given out", () => {
  const slots = new SlotMap<object>();
  slots.remove(3);
  expect([slots.at(-1), slots.at(0), slots.at(3), slots.size]).toEqual([undefined, undefined, undefined, 0]);
  expect(slots.add({})).toBe(0);
});
