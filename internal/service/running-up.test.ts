import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startCommand } from "../../test/harness/command.ts";
import { tempFolder } from "../../test/harness/temp-folder.ts";
import { freePort } from "../local/free-port.ts";
import { announceUp, missesUp, runningUp } from "./running-up.ts";

const urls = {
  NATS_URL: "nats://operator:secret@127.0.0.1:4333",
  DATABASE_URL: "postgres://127.0.0.1:1/casino",
};

test("an up that runs is found until it takes its word back, and only this user can read it", () => {
  const data = tempFolder("running");
  expect(runningUp(data, {})).toBeUndefined();
  const takeBack = announceUp(data, { urls: { ...urls, REDIS_URL: "", OTHER: "x" } });
  expect(runningUp(data, {})).toEqual({ pid: process.pid, data, urls });
  expect(statSync(join(data, "running.json")).mode & 0o777).toBe(0o600);
  const more = { ownerUrl: "postgres://owner@127.0.0.1:1/casino", gatewayPort: 3100 };
  announceUp(data, { urls, ...more });
  expect(runningUp(data, {})).toEqual({ pid: process.pid, data, urls, ...more });
  takeBack();
  expect(runningUp(data, {})).toBeUndefined();
});

test.each(["NATS_URL", "NATS_CREDS", "DATABASE_URL", "REDIS_URL"])("%s in the environment wins", (name) => {
  const data = tempFolder("running");
  announceUp(data, { urls });
  expect(runningUp(data, { [name]: "somewhere" })).toBeUndefined();
  expect(runningUp(data, { [name]: "" })).toBeDefined();
});

test("one that was killed, and a file that is broken, are none", () => {
  const data = tempFolder("running");
  for (const text of [
    JSON.stringify({ pid: process.pid, identity: "another boot 1", urls }),
    "{",
    "[]",
    "",
  ]) {
    writeFileSync(join(data, "running.json"), text);
    expect(runningUp(data, {})).toBeUndefined();
  }
});

test("a service beside it that uses other servers hears of it", () => {
  const up = { pid: 7, data: "/casino/.data", urls };
  const [NATS_URL, DATABASE_URL] = ["nats://127.0.0.1:4222", "postgres://casino@127.0.0.1:1/casino"];
  expect(missesUp({ NATS_URL, DATABASE_URL }, up)).toBe(
    "an up runs here (process 7), and this service uses other servers: to use its servers, export what /casino/.data/banner.txt shows",
  );
  expect(missesUp({ NATS_URL: "nats://127.0.0.1:4333", DATABASE_URL }, up)).toBeUndefined();
  expect(missesUp({}, up)).toBeUndefined();
});

test("a command uses it, says so on stderr, and names the server that is away without its password", async () => {
  const cwd = tempFolder("beside-up");
  const port = await freePort();
  const data = join(cwd, ".data");
  mkdirSync(data);
  announceUp(data, { urls: { ...urls, NATS_URL: `nats://operator:secret@127.0.0.1:${port}` } });
  const said =
    `dead-letters: uses the servers of the up that runs here (process ${process.pid}, data in ${data})\n` +
    `dead-letters: NATS is away: no NATS answers at nats://***@127.0.0.1:${port}. Start it, or set NATS_URL.\n`;
  // In the folder of `up`, and in another one with CROUPIER_DATA.
  for (const from of [{ cwd }, { cwd: tempFolder("elsewhere"), env: { CROUPIER_DATA: data } }]) {
    const command = startCommand("cmd/dead-letters/main.ts", { args: ["list"], ...from });
    expect(await command.ended).toEqual({ code: 69, signal: null });
    expect(command.stderr).toBe(said);
  }
});
