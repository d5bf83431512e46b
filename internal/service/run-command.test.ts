import { spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { expect, test } from "vitest";

test.runIf(process.platform === "linux")("output that a full disk does not take is a failure", () => {
  const full = openSync("/dev/full", "w");
  const { stderr, status } = spawnSync(process.execPath, ["cmd/samples/main.ts", "--help"], {
    stdio: ["ignore", full, "pipe"],
  });
  closeSync(full);
  const why = "samples: What it has to say cannot be written: ENOSPC: no space left on device, write.\n";
  expect([String(stderr), status]).toEqual([why, 1]);
});
