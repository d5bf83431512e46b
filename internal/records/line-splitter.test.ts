import fc from "fast-check";
import { expect, test } from "vitest";
import { LineSplitter } from "./line-splitter.ts";

function split(chunks: readonly Uint8Array[], maxBytes: number): [number, string | undefined][] {
  const splitter = new LineSplitter(maxBytes);
  const lines = [...chunks.flatMap((chunk) => [...splitter.push(chunk)]), ...splitter.end()];
  // Read only now: a line must stay as it was when more has come.
  return lines.map(([index, line]) => [index, line && Buffer.from(line).toString()]);
}

test("however the bytes are cut, the lines are the same, numbered with the blank ones, each bounded", () => {
  const line = fc.oneof(
    fc.constantFrom("", " ", "\r", "\t \r", "é", "0123456789"),
    fc.string({ maxLength: 20 }),
  );
  fc.assert(
    fc.property(
      fc.array(line),
      fc.array(fc.nat({ max: 40 })),
      fc.integer({ min: 1, max: 15 }),
      (lines, cuts, max) => {
        const text = lines.join("\n");
        const bytes = Buffer.from(text);
        const chunks: Buffer[] = [];
        let start = 0;
        for (const length of cuts) {
          chunks.push(bytes.subarray(start, start + length));
          start += length;
        }
        chunks.push(bytes.subarray(start));
        const expected = text
          .split("\n")
          .map((part, index): [number, string | undefined] => [
            index,
            Buffer.byteLength(part) > max ? undefined : part,
          ])
          .filter(([, part]) => part === undefined || !/^[ \t\r]*$/.test(part));
        expect(split(chunks, max)).toEqual(expected);
      },
    ),
  );
});

test("a body sent byte by byte costs no more memory than its longest line", () => {
  const maxBytes = 200_000;
  const splitter = new LineSplitter(maxBytes);
  const byte = Buffer.from("x");
  const before = process.memoryUsage();
  for (let i = 0; i < 2_000_000; i++)
    for (const _ of splitter.push(byte)) expect.fail("there is no line break");
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  expect([...splitter.end()]).toEqual([[0, undefined]]);
  expect(heapUsed + arrayBuffers - before.heapUsed - before.arrayBuffers).toBeLessThan(50 * 2 ** 20);
});

test("tells how many lines came, and how many blank ones in a row", () => {
  const splitter = new LineSplitter(10);
  const seen: [lines: number, blanks: number][] = [];
  for (const part of ["\n \n\r\n", " ", "\n", "x", "\n\n", " x\n", "\n\n\n", "12345678901\n"]) {
    for (const _ of splitter.push(Buffer.from(part)));
    seen.push([splitter.lines, splitter.blanks]);
  }
  expect(seen).toEqual([
    [3, 3],
    [3, 3],
    [4, 4],
    [4, 4],
    [6, 1],
    [7, 0],
    [10, 3],
    [11, 0],
  ]);
});
