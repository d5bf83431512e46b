import { PassThrough, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { Outlet, relayLines } from "./outlet.ts";

test("whole lines pass, however they are cut; a last line that is cut short does not", async () => {
  const from = new PassThrough();
  const to = new PassThrough();
  const relayed = relayLines(from, new Outlet(to, () => undefined));
  for (const part of ['{"id":', "1}\n{", '"id":2}\n{"id":3}\n{"i']) from.write(part);
  from.end();
  await relayed;
  to.end();
  expect(await text(to)).toBe('{"id":1}\n{"id":2}\n{"id":3}\n');
});

test("a reader that goes away is noticed once, and the source is drained all the same", async () => {
  const from = new PassThrough();
  const broken = new Writable({
    write: (_chunk, _encoding, done) => done(Object.assign(new Error("write EPIPE"), { code: "EPIPE" })),
  });
  let closed = 0;
  const relayed = relayLines(from, new Outlet(broken, () => closed++));
  for (let i = 0; i < 1_000; i++) from.write(`${"x".repeat(1_000)}\n`);
  from.end();
  await relayed;
  expect(closed).toBe(1);
});

test("a slow reader slows its source down", async () => {
  const from = new PassThrough();
  const pending: (() => void)[] = [];
  let written = 0;
  const slow = new Writable({
    highWaterMark: 1_000,
    write: (chunk, _encoding, done) => {
      written += chunk.length;
      pending.push(done);
    },
  });
  const relayed = relayLines(from, new Outlet(slow, () => undefined));
  for (let i = 0; i < 10; i++) from.write(`${"x".repeat(1_999)}\n`);
  from.end();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(written).toBe(2_000);
  const release = setInterval(() => pending.shift()?.(), 1);
  await relayed;
  clearInterval(release);
  expect(written).toBe(20_000);
});
