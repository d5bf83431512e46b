import { spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { expect, test } from "vitest";

test.runIf(process.platform === "linux")("a full disk behind stderr ends nothing", () => {
  const full = openSync("/dev/full", "w");
  const file = new URL("./log.ts", import.meta.url).href;
  const script = `import { createLog } from "${file}";
    const log = createLog("x", "info");
    for (let line = 0; line < 30; line++) log.info({ text: "long ".repeat(10_000) }, "a line");
    process.stdout.write("still here");`;
  const { stdout, status } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", full],
  });
  closeSync(full);
  expect([String(stdout), status]).toEqual(["still here", 0]);
});
