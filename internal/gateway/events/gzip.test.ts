import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { body, postingForTest } from "./post-events.fixture.ts";

const { poster, stored } = await postingForTest();

const post = async (payload: Buffer, contentType: string, encoding = "gzip") =>
  (await poster())(payload, contentType, { "content-encoding": encoding });
const json = "application/json";
const ndjson = "application/x-ndjson";
const bodies = async () => (await stored()).map((event) => event.body);

test.each([
  [json, `[${body(1)},${body(2)}]`],
  [ndjson, `${body(1)}\n\n${body(2)}\n`],
])("%s is taken", async (contentType, text) => {
  expect(await post(gzipSync(text), contentType)).toMatchObject({ status: 202, body: { accepted: 2 } });
  expect(await bodies()).toEqual([body(1), body(2)]);
});

test("x-gzip and capitals are gzip too, another encoding is named", async () => {
  expect(await post(gzipSync(body(1)), json, "X-GZIP")).toMatchObject({ status: 202 });
  expect(await post(Buffer.from(body(2)), json, "br")).toMatchObject({
    status: 415,
    headers: { "accept-encoding": "gzip, identity" },
    body: { detail: "The Content-Encoding must be gzip, or absent for a body that is not compressed." },
  });
});

test.each([
  ["is not gzip", Buffer.from(body(1))],
  ["ends too early", gzipSync(body(1)).subarray(0, -12)],
])("what %s is a 400, as JSON and as lines", async (_what, payload) => {
  for (const contentType of [json, ndjson])
    expect(await post(payload, contentType)).toMatchObject({
      status: 400,
      body: { detail: "The body is not gzip, though its Content-Encoding says so." },
    });
});

test("limits are of what it becomes", async () => {
  const whitespace = gzipSync(Buffer.alloc(64 * 2 ** 20, " "));
  expect(whitespace.length).toBeLessThan(2 ** 17);
  expect(await post(whitespace, json)).toMatchObject({
    status: 413,
    body: {
      detail: expect.stringMatching(/^The body is larger than 1 MiB|^The body becomes more than 100 times/),
    },
  });
  const longLine = gzipSync(Buffer.concat([Buffer.from(`${body(1)}\n`), Buffer.alloc(64 * 2 ** 20, "0")]));
  expect(await post(longLine, ndjson)).toMatchObject({
    status: 413,
    body: { detail: "The body becomes more than 100 times as large as it was sent.", accepted: 1 },
  });
  expect(await bodies()).toEqual([body(1)]);
});
