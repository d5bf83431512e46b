import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { tempFolder } from "../../test/harness/temp-folder.ts";
import { isTemporary } from "./temporary.ts";

test("a folder below a temporary one is temporary, by whatever name, others are not", () => {
  const dir = tempFolder("temporary");
  mkdirSync(join(dir, "data"));
  expect(isTemporary(dir)).toBe(true);
  expect(isTemporary(join(dir, "data"))).toBe(true);
  expect(isTemporary("/")).toBe(false);
  expect(isTemporary("/usr")).toBe(false);
  symlinkSync("/usr", join(dir, "link"));
  expect(isTemporary(join(dir, "link"))).toBe(false);
});
