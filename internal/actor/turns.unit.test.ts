import { expect, test } from "vitest";
import { Turns } from "./turns.ts";

/** Work that goes on until it is told to end, and notes when it begins and ends. */
function work(name: string, notes: string[]) {
  const { promise, resolve } = Promise.withResolvers<void>();
  const run = async () => {
    notes.push(`${name} begins`);
    await promise;
    notes.push(`${name} ends`);
  };
  return { run, end: resolve };
}

test("many work together", async () => {
  const turns = new Turns();
  const notes: string[] = [];
  const [a, b] = [work("a", notes), work("b", notes)];
  const all = [turns.together(a.run), turns.together(b.run)];
  a.end();
  b.end();
  await Promise.all(all);
  expect(notes).toEqual(["a begins", "b begins", "a ends", "b ends"]);
});

test("who wants to be alone waits for those who are in, and keeps out those who come later", async () => {
  const turns = new Turns();
  const notes: string[] = [];
  const [a, b, alone, later] = [
    work("a", notes),
    work("b", notes),
    work("alone", notes),
    work("later", notes),
  ];
  const all = [
    turns.together(a.run),
    turns.together(b.run),
    turns.alone(alone.run),
    turns.together(later.run),
  ];
  later.end();
  a.end();
  await all[0];
  expect(notes).not.toContain("alone begins");
  b.end();
  await all[1];
  alone.end();
  await Promise.all(all);
  expect(notes).toEqual([
    "a begins",
    "b begins",
    "a ends",
    "b ends",
    "alone begins",
    "alone ends",
    "later begins",
    "later ends",
  ]);
});

test("two who want to be alone are not alone together, and a failure lets the next one in", async () => {
  const turns = new Turns();
  const notes: string[] = [];
  const second = work("second", notes);
  const failing = turns.alone(async () => {
    notes.push("first begins");
    await Promise.resolve();
    notes.push("first fails");
    throw new Error("no");
  });
  const all = [turns.alone(second.run), turns.together(async () => void notes.push("others"))];
  second.end();
  await expect(failing).rejects.toThrow("no");
  await Promise.all(all);
  expect(notes.slice(0, 3)).toEqual(["first begins", "first fails", "second begins"]);
  expect(notes).toHaveLength(5);
});
