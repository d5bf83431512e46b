import { execFile } from "node:child_process";
import { createServer } from "node:http";
import { resolve } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { databaseForTest } from "../../test/harness/infrastructure.ts";
import { decodeRaw } from "../casino/decode.ts";
import { createSampleKey, curlLine } from "./sample-key.ts";

const run = promisify(execFile);
const commands = resolve(import.meta.dirname, "../../cmd");
const never = new AbortController().signal;

test("each key is a new one of client casino, good for a day, in place of the one before; others stay", async () => {
  const DATABASE_URL = await databaseForTest({
    prepare: (url) =>
      run(process.execPath, [`${commands}/migrate/main.ts`], { env: { ...process.env, DATABASE_URL: url } }),
  });
  const script = `${commands}/clients/main.ts`;
  const env = { ...process.env, DATABASE_URL };
  const clients = async (...args: string[]) =>
    (await run(process.execPath, [script, ...args], { env })).stdout;
  const kept = await clients("keys", "create", "casino", "curl");
  const first = await createSampleKey(script, { DATABASE_URL }, never);
  const second = await createSampleKey(script, { DATABASE_URL }, never);
  expect(second).not.toBe(first);
  const stateOf = (key: string, list: string) =>
    list.split("\n").find((line) => line.startsWith(key.slice(0, 11))) ?? "";
  const list = await clients("keys", "list", "casino");
  expect(stateOf(kept, list)).toMatch(/never expires$/);
  expect(stateOf(first, list)).toMatch(/revoked \S+Z$/);
  expect(stateOf(second, list)).toMatch(/valid until \S+Z$/);
  const [, expires = ""] = /valid until (\S+)$/.exec(stateOf(second, list)) ?? [];
  expect(Math.abs(Date.parse(expires) - Date.now() - 86_400_000)).toBeLessThan(60_000);
});

test("the curl line posts one valid event with the key, as it stands", async () => {
  let got: { url: string | undefined; headers: NodeJS.Dict<string | string[]>; body: string } | undefined;
  const server = createServer(async (request, response) => {
    got = { url: request.url, headers: request.headers, body: await text(request) };
    response.end("ok");
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  onTestFinished(() => void server.close());
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;

  const line = curlLine(port, "cr_key");
  expect(line).not.toContain("\n");
  const { stdout } = await run("sh", ["-c", line]);
  expect(stdout).toBe("ok");
  expect(got?.url).toBe("/events");
  expect(got?.headers).toMatchObject({ authorization: "Bearer cr_key", "content-type": "application/json" });
  expect(decodeRaw(Buffer.from(got?.body ?? "")).ok).toBe(true);
});
