import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { tempFolder } from "../../test/harness/temp-folder.ts";
import { knownElsewhere, placeForPostgres } from "./postgres-place.ts";
import { closedFolder } from "./system-user.ts";

/** A user who owns nothing here and is in no group of ours. */
const nobody = { uid: 65_534, gid: 65_534 };

test("without another user the data lies where it was asked for", async () => {
  const dir = join(tempFolder("place"), "postgres");
  expect(await placeForPostgres(dir, undefined)).toBe(dir);
});

test("a folder that is closed itself is opened for passing through, not for reading", async () => {
  const dir = tempFolder("place");
  chmodSync(dir, 0o700);
  expect(closedFolder(dir, nobody)).toBe(dir);
  expect(await placeForPostgres(dir, nobody)).toBe(dir);
  expect(statSync(dir).mode & 0o777).toBe(0o711);
});

test("so is a closed folder of ours around it", async () => {
  const ours = tempFolder("place");
  chmodSync(ours, 0o700);
  const dir = join(ours, "postgres");
  expect(await placeForPostgres(dir, nobody, ours)).toBe(dir);
  expect(closedFolder(dir, nobody)).toBeUndefined();
});

test("below a folder that is closed the data goes elsewhere, and to the same place each time", async () => {
  const closed = tempFolder("place");
  chmodSync(closed, 0o700);
  const dir = join(closed, "postgres");
  const place = await placeForPostgres(dir, nobody);
  try {
    expect(place).not.toContain(closed);
    expect(closedFolder(place, nobody)).toBeUndefined();
    expect(statSync(closed).mode & 0o777).toBe(0o700);
    expect(readFileSync(join(place, "belongs-to"), "utf8")).toBe(`${dir}\n`);
    expect(await placeForPostgres(dir, nobody)).toBe(place);
    chmodSync(closed, 0o711);
    expect(await placeForPostgres(dir, nobody)).toBe(place);
    expect(knownElsewhere(dir)).toBe(place);
  } finally {
    rmSync(place, { recursive: true });
  }
  expect(knownElsewhere(dir)).toBeUndefined();
  expect(existsSync(place)).toBe(false);
});

test("group and owner decide before the others do", () => {
  const dir = join(tempFolder("place"), "inner");
  mkdirSync(dir);
  chmodSync(dir, 0o701);
  const { uid, gid } = statSync(dir);
  expect(closedFolder(dir, { uid, gid })).toBeUndefined();
  expect(closedFolder(dir, { uid: 65_534, gid })).toBe(dir);
  expect(closedFolder(dir, nobody)).toBeUndefined();
});
