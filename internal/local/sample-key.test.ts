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

test("each key is a new one of client casino", async () => {
  const DATABASE_URL = await databaseForTest({
    prepare: (url) =>
      run(process.execPath, [`${commands}/migrate/main.ts`], { env: { ...process.env, DATABASE_URL: url } }),
  });
  const script = `${commands}/clients/main.ts`;
  const keys = [
    await createSampleKey(script, { DATABASE_URL }, never),
    await createSampleKey(script, { DATABASE_URL }, never),
  ];
  expect(new Set(keys).size).toBe(2);
  const { stdout } = await run(process.execPath, [script, "keys", "list", "casino"], {
    env: { ...process.env, DATABASE_URL },
  });
  for (const key of keys) expect(stdout).toContain(key.slice(0, 11));
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
