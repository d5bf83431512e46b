import { PassThrough, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { afterEach, expect, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import { waitFor } from "../../test/harness/wait-for.ts";
import { Mailbox, type MailboxOptions } from "../jetstream/mailbox.ts";
import { loggerDurable, logLines } from "./lines.ts";
import { idsOf, linesOf, logForTest, upTo } from "./log.fixture.ts";

const { nc, publish, consumer, acknowledged, settled } = await logForTest();
const open: Mailbox[] = [];

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
