import { expect, test } from "vitest";
import { Progress } from "./progress.ts";

test("on a terminal a line is written over, now and then, and is gone at the end", () => {
  const written: string[] = [];
  {
    using progress = new Progress({ isTTY: true, write: (text) => written.push(text) });
    progress.show(() => "1 of 3");
    progress.show(() => "2 of 3");
    progress.clear();
    progress.clear();
  }
  expect(written).toEqual(["\r\x1b[2K1 of 3", "\r\x1b[2K"]);
});

test("elsewhere nothing is written", () => {
  const written: string[] = [];
  using progress = new Progress({ write: (text) => written.push(text) });
  progress.show(() => "1 of 3");
  progress.clear();
  expect(written).toEqual([]);
});
