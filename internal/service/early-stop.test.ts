import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { watch } from "../../test/harness/guard.ts";

const earlyStop = new URL("early-stop.js", import.meta.url).href;

/** Runs Node with these modules, loaded in order; each writes a line once it is loaded. */
async function loading(...modules: readonly string[]) {
  const urls = modules.map((text) => `data:text/javascript,${encodeURIComponent(text)}`);
  const child = spawn(
    process.execPath,
    [earlyStop, ...urls].flatMap((url) => ["--import", url]).concat("-"),
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  if (child.pid !== undefined) watch(child.pid);
  const exited = once(child, "exit");
  await once(child.stdout, "data");
  return { child, exited };
}

const loadsForEver =
  'process.stdout.write("loading\\n"); await new Promise(() => setInterval(() => {}, 1e6));';

test.each(["SIGTERM", "SIGINT"] as const)("%s while modules load ends the process with 0", async (signal) => {
  const { child, exited } = await loading(loadsForEver);
  child.kill(signal);
  expect(await exited).toEqual([0, null]);
});

test("once somebody else listens, the signal is theirs", async () => {
  const listens = 'process.on("SIGTERM", () => setImmediate(() => process.exit(7)));';
  const { child, exited } = await loading(listens, loadsForEver);
  child.kill("SIGTERM");
  expect(await exited).toEqual([7, null]);
});
