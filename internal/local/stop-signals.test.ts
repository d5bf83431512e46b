import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";

/** A process whose stack takes `stopTakes` ms to stop; its start ends as `start` says. */
function run(stopTakes: number, start = "Promise.resolve()") {
  const script = `
    import { Outlet } from "${import.meta.dirname}/outlet.ts";
    import { stopOnSignal } from "${import.meta.dirname}/stop-signals.ts";
    const stack = {
      start: () => { process.stdout.write("started"); return ${start}; },
      stop: () => new Promise((resolve) => setTimeout(resolve, ${stopTakes})),
      kill: () => process.stderr.write("killed\\n"),
    };
    setInterval(() => undefined, 1000);
    process.exit(await stopOnSignal(stack, new Outlet(process.stderr, () => undefined)));
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = Promise.all([once(child, "exit"), text(child.stderr)]).then(([[code], stderr]) => ({
    code,
    stderr,
  }));
  return { child, ended, started: once(child.stdout, "data"), stopping: once(child.stderr, "data") };
}

test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("%s stops it with exit code 0", async (signal) => {
  const { child, ended, started } = run(10);
  await started;
  child.kill(signal);
  expect(await ended).toEqual({
    code: 0,
    stderr: `up: ${signal}, stopping; again to end it at once\nup: stopped\n`,
  });
});

test("the same Ctrl-C coming twice, from the terminal and from npm, is one", async () => {
  const { child, ended, started } = run(300);
  await started;
  child.kill("SIGINT");
  await new Promise((resolve) => setTimeout(resolve, 50));
  child.kill("SIGINT");
  expect((await ended).code).toBe(0);
});

test("a second one ends it at once", async () => {
  const { child, ended, started, stopping } = run(60_000);
  await started;
  child.kill("SIGINT");
  await stopping;
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  child.kill("SIGINT");
  expect(await ended).toMatchObject({ code: 130, stderr: expect.stringContaining("killed") });
});

test("a start that is under way does not hold up the stop", async () => {
  const { child, ended, started } = run(10, "new Promise(() => undefined)");
  await started;
  child.kill("SIGTERM");
  expect((await ended).code).toBe(0);
});

test("a start that fails is said in one sentence, with exit code 1", async () => {
  const { ended } = run(10, 'Promise.reject(new Error("port 3000 is taken"))');
  expect(await ended).toEqual({ code: 1, stderr: "up: port 3000 is taken\n" });
});
