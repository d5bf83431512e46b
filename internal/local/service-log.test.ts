import { existsSync, readFileSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { tempFolder } from "../../test/harness/temp-folder.ts";
import { lineForPeople, ServiceLog } from "./service-log.ts";

const logLine = (level: string, more: object = {}) =>
  JSON.stringify({ level, time: "2026-11-28T10:11:12.345Z", service: "enricher", msg: "said", ...more });

test("all goes into the file; to quiet eyes only what matters, in lines to be read", async () => {
  const file = join(tempFolder("logs"), "new", "enricher.log");
  let seen = "";
  const eyes = {
    async write(lines: Uint8Array | string) {
      seen += Buffer.from(lines).toString();
    },
  };
  const log = new ServiceLog(file, eyes, true);
  const said = `${logLine("info")}\n${logLine("warn", { because: "refused" })}\nnode:internal crash\n`;
  await log.write(Buffer.from(said));
  expect(seen).toBe("10:11:12 enricher WARN: said (refused)\nnode:internal crash\n");
  expect(readFileSync(file, "utf8")).toBe(said);

  const loud = new ServiceLog(file, eyes, false);
  seen = "";
  await loud.write(`${logLine("info")}\n`);
  expect(seen).toBe(`${logLine("info")}\n`);
  log.close();
  loud.close();
});

test("a long log is put aside", async () => {
  const file = join(tempFolder("logs"), "archiver.log");
  const eyes = { write: async () => undefined };
  new ServiceLog(file, eyes, true).close();
  truncateSync(file, 17 * 1024 * 1024);
  const log = new ServiceLog(file, eyes, true);
  await log.write("first\n");
  log.close();
  expect(readFileSync(file, "utf8")).toBe("first\n");
  expect(existsSync(`${file}.1`)).toBe(true);
});

test("what a line holds cannot steer the terminal", () => {
  expect(lineForPeople(logLine("error", { msg: "a\u001b[31mb\nc" }))).toBe(
    "10:11:12 enricher ERROR: a\\u001b[31mb\\u000ac\n",
  );
  expect(lineForPeople("")).toBeUndefined();
});
