import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { hearKeys, type Keyboard } from "./keys.ts";

/** A terminal's input, as far as it is used. */
class FakeKeyboard extends PassThrough {
  isRaw = false;

  setRawMode(isRaw: boolean): this {
    this.isRaw = isRaw;
    return this;
  }
}

/** Nothing else of a terminal is used. */
function hear(keyboard: FakeKeyboard): readonly [asked: string[], deafen: () => void] {
  const asked: string[] = [];
  const deafen = hearKeys(keyboard as unknown as Keyboard, {
    quit: () => asked.push("quit"),
    suspend: () => asked.push("suspend"),
  });
  return [asked, deafen];
}

async function type(keyboard: FakeKeyboard, keys: string): Promise<void> {
  await new Promise((resolve) => keyboard.write(keys, resolve));
  await new Promise(setImmediate);
}

test.each([
  ["q", ["quit"]],
  ["Q", ["quit"]],
  ["\u0003", ["quit"]],
  ["\u001a", ["suspend"]],
  ["xq", ["quit"]],
  ["x\u001b[A\r", []],
])("%j asks for %j", async (typed, expected) => {
  const keyboard = new FakeKeyboard();
  const [asked] = hear(keyboard);
  expect(keyboard.isRaw).toBe(true);
  await type(keyboard, typed);
  expect(asked).toEqual(expected);
});

test("gives the terminal its mode back, and can hear again", async () => {
  const keyboard = new FakeKeyboard();
  const [before, deafen] = hear(keyboard);
  deafen();
  expect([keyboard.isRaw, keyboard.isPaused()]).toEqual([false, true]);
  const [after] = hear(keyboard);
  await type(keyboard, "q");
  expect([before, after]).toEqual([[], ["quit"]]);
});
