import { expect, test } from "vitest";
import { Progress } from "./progress.ts";

test("on a terminal a line is written over, now and then, and is gone at the end", () => {
  const written: string[] = [];
  {
    using progress = new Progress("import", { isTTY: true, write: (text) => written.push(text) });
    progress.show(() => "1 of 3");
    progress.show(() => "2 of 3");
    progress.clear();
    progress.clear();
  }
  expect(written).toEqual(["\r\x1b[2K1 of 3", "\r\x1b[2K"]);
});

test("elsewhere what takes long says how far it is, a plain line each time, and what is quick says nothing", () => {
  const written: string[] = [];
  const pipe = { write: (text: string) => written.push(text) };
  {
    using quick = new Progress("import", pipe);
    quick.show(() => "1 of 3");
    quick.clear();
  }
  expect(written).toEqual([]);
  using progress = new Progress("import", pipe, 0);
  progress.show(() => "1 of 3");
  progress.show(() => "2 of 3");
  progress.clear();
  expect(written).toEqual(["import: 1 of 3\n", "import: 2 of 3\n"]);
});
