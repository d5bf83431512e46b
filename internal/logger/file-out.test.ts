import { closeSync, openSync, readFileSync, write } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import pino from "pino";
import { expect, onTestFinished, test } from "vitest";
import { tempFolder } from "../../test/harness/temp-folder.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { FileOut } from "./file-out.ts";

/** A file whose disk has room for so many bytes more. */
function fileWithRoom(room: number) {
  const path = join(tempFolder("out"), "lines");
  const fd = openSync(path, "w");
  onTestFinished(() => closeSync(fd));
  const disk = { room };
  const lines: string[] = [];
  const log = pino({ base: null }, { write: (line) => lines.push(JSON.parse(line).msg) });
  const out = new FileOut(fd, log, async (file, data, offset) => {
    if (disk.room === 0)
      throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
    const part = data.subarray(offset, offset + disk.room);
    disk.room -= part.length;
    return promisify(write)(file, part);
  });
  return { out, disk, lines, content: () => readFileSync(path, "utf8") };
}

test("a disk that becomes full in the middle of a line is waited for, and the line goes on where it stopped", async () => {
  const { out, disk, lines, content } = fileWithRoom(10);
  let written = false;
  out.write("a line\nanother line\n", () => {
    written = true;
  });
  await waitFor(() => out.problem === "the disk under stdout is full (ENOSPC)");
  expect(content()).toBe("a line\nano");
  expect(written).toBe(false);
  disk.room = 1_000;
  await waitFor(() => written);
  expect(content()).toBe("a line\nanother line\n");
  await waitFor(() => out.problem === undefined);
  expect(lines).toEqual(["events wait: the disk under stdout is full (ENOSPC)", "events flow again"]);
});

test("any other error is one", async () => {
  const fd = openSync("/dev/null", "r"); // cannot be written
  onTestFinished(() => closeSync(fd));
  const out = new FileOut(fd, pino({ level: "silent" }));
  out.on("error", () => undefined);
  const failure = await new Promise((resolve) => out.write("x", resolve));
  expect(failure).toMatchObject({ code: "EBADF" });
});

test("closing it ends the waiting", async () => {
  const { out } = fileWithRoom(0);
  out.on("error", () => undefined);
  const failed = new Promise((resolve) => out.write("x", resolve));
  await waitFor(() => out.problem);
  out.destroy();
  expect(await failed).toBeInstanceOf(Error);
});
