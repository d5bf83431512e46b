import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { PassThrough, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { brokerForTest, defaultLimits, silent } from "../../test/harness/broker.ts";
import { type Command, logLines as linesOfLog, startCommand } from "../../test/harness/command.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { Mailbox, type MailboxOptions } from "../jetstream/mailbox.ts";
import { Publisher } from "../jetstream/publisher.ts";
import { ensureStreams } from "../jetstream/topology.ts";
import { OutgoingHeaders } from "../jetstream/wire-headers.ts";
import { loggerDurable, logLines } from "./lines.ts";

const { server: nats, nc, jsm } = await brokerForTest();
const publisher = new Publisher(nc);
const open: Mailbox[] = [];

beforeEach(async () => {
  await nats.start();
  await waitFor(() => nc.rtt());
  await jsm.streams.delete("CASINO_EVENTS").catch(() => undefined);
  await ensureStreams(nc, ["final"], defaultLimits);
});

afterEach(async () => {
  for (const mailbox of open.splice(0)) await close(mailbox);
});

async function close(mailbox: Mailbox): Promise<void> {
  await mailbox.stop();
  mailbox.close();
}

async function openMailbox(options: Partial<MailboxOptions> = {}): Promise<Mailbox> {
  const mailbox = await Mailbox.open(nc, { durable: loggerDurable, log: silent, ...options });
  open.push(mailbox);
  return mailbox;
}

/** Puts events with these ids into the stream, as texts of about 300 bytes; any text will do for the logger. */
async function publish(from: number, to: number): Promise<void> {
  const ids = Array.from({ length: to - from + 1 }, (_, index) => from + index);
  await Promise.all(
    ids.map((id) =>
      publisher.publish({
        subject: "casino.event.final.casino.bet",
        payload: Buffer.from(line(id)),
        headers: new OutgoingHeaders().add("Nats-Msg-Id", `casino:test:${id}:final`),
      }),
    ),
  );
}

const line = (id: number) => `{"id":${id},"description":"${"€".repeat(80)} \\n ${id}"}`;
const linesOf = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `${line(from + index)}\n`).join("");
const idsOf = (written: string) =>
  written
    .split("\n")
    .slice(0, -1)
    .map((text): number => JSON.parse(text).id);
const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);
const consumer = () => jsm.consumers.info("CASINO_EVENTS", "logger");
const acknowledged = async () => (await consumer()).ack_floor.stream_seq;
const settled = async () => {
  const { num_pending, num_ack_pending } = await consumer();
  return num_pending === 0 && num_ack_pending === 0;
};

describe("logLines", () => {
  test("writes what is stored to the byte, one line each, in order, and acknowledges it", async () => {
    await publish(1, 1_000);
    const mailbox = await openMailbox();
    const out = new PassThrough();
    const written = text(out);
    const writing = logLines(mailbox, out);
    await waitFor(settled);
    await close(mailbox);
    expect(await writing).toBe("stopped");
    out.end();
    expect(await written).toBe(linesOf(1, 1_000));
  });

  test("takes and acknowledges nothing more while the reader does not", async () => {
    await publish(1, 6_000);
    const chunks: string[] = [];
    let goOn: (() => void) | undefined;
    const out = new Writable({
      write(chunk: Buffer, _encoding, done) {
        chunks.push(chunk.toString());
        goOn = done;
      },
    });
    const mailbox = await openMailbox({ batch: 128, capacity: 512 });
    const writing = logLines(mailbox, out);
    // The mailbox fills up to what it may hold, and no further.
    const { num_ack_pending, ack_floor } = await waitFor(async () => {
      const info = await consumer();
      return info.num_ack_pending > 384 && info;
    });
    expect(num_ack_pending).toBeLessThanOrEqual(512);
    expect(ack_floor.stream_seq).toBe(0);
    expect(chunks).toHaveLength(1);

    await waitFor(async () => {
      goOn?.();
      return settled();
    });
    await close(mailbox);
    expect(await writing).toBe("stopped");
    expect(chunks.join("")).toBe(linesOf(1, 6_000));
  });

  test("hands back what a closed reader did not take: the next logger writes it", async () => {
    await publish(1, 2_000);
    const taken: string[] = [];
    const out = new Writable({
      write(chunk: Buffer, _encoding, done) {
        if (taken.length === 3) return done(Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
        taken.push(chunk.toString());
        done();
      },
    });
    const first = await openMailbox();
    expect(await logLines(first, out)).toBe("reader gone");
    await close(first);

    const rest = new PassThrough();
    const written = text(rest);
    const second = await openMailbox();
    const writing = logLines(second, rest);
    await waitFor(settled);
    await close(second);
    await writing;
    rest.end();
    const ids = [...idsOf(taken.join("")), ...idsOf(await written)];
    expect(ids.toSorted((a, b) => a - b)).toEqual(upTo(2_000));
  });

  test("any other error is no reader that is gone: it is said, and nothing is acknowledged", async () => {
    await publish(1, 10);
    const broken = new Error("EIO: i/o error, write");
    const out = new Writable({ write: (_chunk, _encoding, done) => done(broken) });
    await expect(logLines(await openMailbox(), out)).rejects.toThrow(
      "stdout cannot be written: EIO: i/o error, write",
    );
    expect(await acknowledged()).toBe(0);
  });

  test("a reader that was gone before the first line is noticed", async () => {
    await publish(1, 10);
    const out = new PassThrough();
    out.destroy();
    expect(await logLines(await openMailbox(), out)).toBe("reader gone");
  });
});

describe("the command", () => {
  const start = (stdout: "read" | "held" = "read") =>
    startCommand("cmd/logger/main.ts", { env: { NATS_URL: nats.url, HTTP_PORT: "0" }, stdout });
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
      env: { NATS_URL: nats.url, HTTP_PORT: "0" },
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
    expect(linesOfLog(logger.stderr).map(({ msg }) => msg)).toEqual([
      expect.stringMatching(
        /begins with the oldest event: 3 retained events are printed again, if they were/,
      ),
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
    await nats.kill();
    await logger.logged(/^lost NATS/);
    await stop(logger);
  });

  test("it goes on after the broker was killed", async () => {
    await publish(1, 3);
    const logger = start();
    await waitFor(() => logger.stdout === linesOf(1, 3));
    await nats.kill();
    await nats.start();
    await waitFor(() => nc.rtt());
    await publish(4, 6);
    await waitFor(() => logger.stdout.includes(linesOf(4, 6)));
    await stop(logger);
  });
});
