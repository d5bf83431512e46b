import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { idsOf, linesOf, logForTest, upTo } from "../../internal/logger/log.fixture.ts";
import { type Command, logLines, startCommand } from "../../test/harness/command.ts";
import { waitFor } from "../../test/harness/wait-for.ts";

const { server, nc, publish, consumer, acknowledged, settled } = await logForTest();

const start = (stdout: "read" | "held" = "read") =>
  startCommand("cmd/logger/main.ts", { env: { NATS_URL: server.url, HTTP_PORT: "0" }, stdout });
const stop = async ({ child, ended }: Command) => {
  child.kill("SIGTERM");
  expect(await ended).toEqual({ code: 0, signal: null });
};
const stdoutOf = ({ child: { stdout } }: Command) => stdout ?? expect.fail("there is no stdout");
/** What another logger writes until nothing is left. */
const theNext = async () => {
  const next = start();
  await waitFor(settled);
  await stop(next);
  return next.stdout;
};

test("waits while the disk under stdout is full: not ready, says why, and keeps what it could not write", async () => {
  await publish(1, 10);
  const full = openSync("/dev/full", "w");
  onTestFinished(() => closeSync(full));
  const command = startCommand("cmd/logger/main.ts", {
    env: { NATS_URL: server.url, HTTP_PORT: "0" },
    stdout: full,
  });
  const { http } = await command.logged("ready");
  const why = "the disk under stdout is full (ENOSPC)";
  await command.logged(`events wait: ${why}`);
  const ready = await fetch(`${http}/readyz`);
  expect(ready.status).toBe(503);
  expect(await ready.json()).toMatchObject({ checks: { stdout: why } });
  expect(await acknowledged()).toBe(0);
  await stop(command);
  const next = start();
  await waitFor(() => next.stdout === linesOf(1, 10));
});

test("writes only events to stdout, and ends with 0", async () => {
  await publish(1, 3);
  const logger = start();
  await waitFor(() => logger.stdout === linesOf(1, 3));
  await publish(4, 5);
  await waitFor(() => logger.stdout === linesOf(1, 5));
  const { http } = await logger.logged("ready");
  expect((await fetch(`${http}/readyz`)).status).toBe(200);
  await stop(logger);
  expect(logger.stdout).toBe(linesOf(1, 5));
  expect(logLines(logger.stderr).map(({ msg }) => msg)).toEqual([
    expect.stringMatching(/begins with the oldest event: 3 retained events are printed again, if they were/),
    "ready",
    "stopping",
    "stopped",
  ]);
});

test("SIGTERM under load: the next one goes on where it stopped, no line lost and none doubled", async () => {
  const publishing = publish(1, 20_000);
  const ids: number[] = [];
  for (const share of [2_000, 9_000, 20_000]) {
    const logger = start();
    await waitFor(() => ids.length + logger.stdout.split("\n").length > share);
    await stop(logger);
    ids.push(...idsOf(logger.stdout));
  }
  await publishing;
  expect(ids.toSorted((a, b) => a - b)).toEqual(upTo(20_000));
});

test("a reader that pauses is waited for, while the service stays alive and takes no more", async () => {
  await publish(1, 10_000);
  const logger = start("held");
  const { http } = await logger.logged("ready");
  await waitFor(async () => (await consumer()).num_ack_pending > 500);
  expect((await fetch(`${http}/healthz`)).status).toBe(200);
  expect((await consumer()).num_pending).toBeGreaterThan(5_000);
  const stdout = stdoutOf(logger);
  const written = text(stdout);
  await waitFor(settled);
  await stop(logger);
  expect(await written).toBe(linesOf(1, 10_000));
});

test("a pipe that is closed ends it with 0 and a sentence; the next one writes what is left", async () => {
  await publish(1, 5_000);
  const logger = start("held");
  const stdout = stdoutOf(logger);
  await once(stdout, "data");
  stdout.destroy();
  expect(await logger.ended).toEqual({ code: 0, signal: null });
  expect(await logger.logged("stopping")).toMatchObject({ why: "the reader of stdout is gone" });
  expect(logger.stderr).not.toMatch(/EPIPE|stack/);

  const rest = await theNext();
  // What the system took counts as written, read or not: the next one begins after that, and leaves nothing out.
  const ids = idsOf(rest).toSorted((a, b) => a - b);
  const taken = 5_000 - ids.length;
  expect(ids).toEqual(upTo(5_000).slice(taken));
  expect(taken).toBeLessThan(5_000);
});

test("SIGTERM ends it with 0 also while its reader pauses; the next one writes what was not taken", async () => {
  await publish(1, 10_000);
  const logger = start("held");
  const stdout = stdoutOf(logger);
  // What lies in the pipe is read once the process has ended, and no sooner.
  const parts: Buffer[] = [];
  stdout.pause().on("data", (part) => parts.push(part));
  const closed = once(stdout, "close");
  await waitFor(async () => {
    const before = await acknowledged();
    await sleep(300);
    return before > 0 && (await acknowledged()) === before;
  });
  await stop(logger);
  await closed;
  const taken = Buffer.concat(parts).toString().split("\n").slice(0, -1);
  expect(taken.length).toBeLessThan(10_000);

  const rest = await theNext();
  const ids = new Set([...idsOf(`${taken.join("\n")}\n`), ...idsOf(rest)]);
  expect([...ids].toSorted((a, b) => a - b)).toEqual(upTo(10_000));
});

test("SIGTERM ends it with 0 also while the broker is away", async () => {
  await publish(1, 3);
  const logger = start();
  await waitFor(() => logger.stdout === linesOf(1, 3));
  await server.kill();
  await logger.logged(/^lost NATS/);
  await stop(logger);
});

test("it goes on after the broker was killed", async () => {
  await publish(1, 3);
  const logger = start();
  await waitFor(() => logger.stdout === linesOf(1, 3));
  await server.kill();
  await server.start();
  await waitFor(() => nc.rtt());
  await publish(4, 6);
  await waitFor(() => logger.stdout.includes(linesOf(4, 6)));
  await stop(logger);
});
