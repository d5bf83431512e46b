import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, beforeEach, expect, test } from "vitest";
import { gameStart, setAside } from "../../internal/dead-letters/letters.fixture.ts";
import { Publisher } from "../../internal/jetstream/publisher.ts";
import { ensureStreams } from "../../internal/jetstream/topology.ts";
import { connectPostgres } from "../../internal/postgres/connect.ts";
import { migrate } from "../../internal/postgres/migrate.ts";
import { connectForTest, defaultLimits, silent } from "../../test/harness/broker.ts";
import { databaseForTest, natsForTest } from "../../test/harness/infrastructure.ts";
import { tempFolder } from "../../test/harness/temp-folder.ts";

const server = await natsForTest();
const { nc, jsm } = await connectForTest(server);
const publisher = new Publisher(nc);
const folder = tempFolder("payloads");
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  const DATABASE_URL = await databaseForTest({
    async prepare(url) {
      await using db = connectPostgres(url, "test", silent);
      await migrate(db);
    },
  });
  env = { NATS_URL: server.url, DATABASE_URL, LOG_LEVEL: "warn" };
});
beforeEach(async () => {
  for (const name of ["CASINO_RAW", "CASINO_DEAD"]) await jsm.streams.delete(name).catch(() => false);
  await ensureStreams(nc, ["raw"], defaultLimits);
});

const count = async (stream: string) => (await jsm.streams.info(stream)).state.messages;

/** Runs the command as people do. */
function deadLetters(
  line: string,
  { input = "", env: more = {} }: { input?: string; env?: NodeJS.ProcessEnv } = {},
) {
  return new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    const args = ["cmd/dead-letters/main.ts", ...line.split(" ").filter((word) => word !== "")];
    const child = spawn(process.execPath, args, { env: { ...process.env, ...env, ...more } });
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text) => (stderr += text));
    child.stdin.end(input);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
}

test("lists what there is, by reason, step and client, and shows one", async () => {
  expect(await deadLetters("list")).toEqual({
    code: 0,
    stdout: "There are no such dead letters.\n",
    stderr: "",
  });
  await setAside(publisher, { payload: gameStart(1) });
  await setAside(publisher, { payload: gameStart(2) });
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  await setAside(publisher, {
    reason: "invalid_event",
    client: "acme",
    error: "/player_id must be integer; /data must have required property 'a; b'",
    payload: '{"id":3}\n\u001b[2J',
    headers: { "Casino-Source": "crm", traceparent, "Casino-Replays": "2" },
  });
  const { stdout } = await deadLetters("list --limit 2");
  expect(stdout).toMatch(
    /^count {2}reason {9}step {6}client\n2 {6}unknown_type {3}currency {2}casino\n1 {6}invalid_event/,
  );
  expect(stdout).toMatch(
    /\nThe newest 2 of 3:\n\nseq {2}at .*\n3 +20\S+Z +invalid_event +currency +acme +2 +\/player_id.*\n2 /,
  );
  expect((await deadLetters("list --client acme")).stdout).toMatch(
    /^count .*\n1 .*\n\nThe only one:\n\nseq.*\n3 .*\n$/,
  );

  await setAside(publisher, { payload: gameStart(4), client: "x".repeat(200) });
  expect((await deadLetters("list --limit 1")).stdout).toMatch(/ x{40}\n\n.*\n\n.*\n.* x{40} {2}0 /);

  const shown = (await deadLetters("show 3")).stdout;
  for (const line of [
    "reason      invalid_event",
    "source      crm",
    "failed on   casino.event.raw.acme",
    "replays     2",
    "trace       0af7651916cd43dd8448eb211c80319c",
    "  /player_id  must be integer",
    "  /data       must have required property 'a; b'",
    "  Casino-Source:           crm",
    'Payload (13 bytes):\n{"id":3}\n\\u001b[2J\n',
  ])
    expect(shown).toContain(line);
  expect((await deadLetters("show 3 --raw")).stdout).toBe('{"id":3}\n\u001b[2J');
});

test("replays one, also with another payload; a dry run sends nothing", async () => {
  await setAside(publisher, { payload: gameStart(1, { type: "jackpot" }) });
  expect((await deadLetters("replay 1 --dry-run")).stdout).toBe(
    "1 would fail again as unknown_type: /type must be a registered type\n",
  );
  const file = join(folder, "payload.json");
  await writeFile(file, gameStart(1, { player_id: "x" }));
  expect(await deadLetters(`replay 1 --payload ${file}`)).toEqual({
    code: 1,
    stdout: "",
    stderr: "dead-letters: Nothing was sent: the payload would fail again: /player_id must be integer\n",
  });
  await writeFile(file, gameStart(2));
  expect((await deadLetters(`replay 1 --payload ${file}`)).stderr).toContain("must keep the event's id, 1.");
  expect(await count("CASINO_RAW")).toBe(0);
  await writeFile(file, gameStart(1));
  expect((await deadLetters(`replay 1 --payload ${file} --dry-run`)).stdout).toBe("1 would pass\n");
  expect(await deadLetters(`replay 1 --payload ${file}`)).toEqual({
    code: 0,
    stdout: "1 replayed to casino.event.raw.casino (replay 1)\n",
    stderr: "",
  });
  expect((await jsm.streams.getMessage("CASINO_RAW", { seq: 1 }))?.string()).toBe(gameStart(1));
  expect(await count("CASINO_DEAD")).toBe(0);
});

test("replays all that match, and records each", async () => {
  for (let id = 1; id <= 5; id++) await setAside(publisher, { payload: gameStart(id) });
  await setAside(publisher, { payload: "nonsense", reason: "invalid_json" });
  await setAside(publisher, { payload: gameStart(7), client: "acme", failedOn: "casino.event.raw.casino" });
  const foretold = await deadLetters("replay --all --dry-run");
  expect(foretold.stdout).toContain("6 would fail again as invalid_json: must be JSON in UTF-8\n");
  expect(foretold.stdout).toMatch(/\n5 would pass, 0 perhaps, 2 would fail; nothing was sent\n$/);
  const done = await deadLetters("replay --all --reason unknown_type --client casino", {
    env: { LOG_LEVEL: "info" },
  });
  expect(done).toMatchObject({ code: 0, stdout: "5 replayed, 0 already replayed, 0 cannot be\n" });
  const lines = done.stderr.trim().split("\n");
  expect(lines.map((line) => JSON.parse(line).msg)).toEqual(Array(5).fill("dead letter replayed"));
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({
    client: "casino",
    step: "currency",
    replays: 1,
    edited: false,
  });
  expect(await count("CASINO_RAW")).toBe(5);
  expect(await deadLetters("replay --all --client acme")).toEqual({
    code: 1,
    stdout:
      '7 cannot be sent again: It lies with client "acme", but failed on casino.event.raw.casino.\n' +
      "0 replayed, 0 already replayed, 1 cannot be\n",
    stderr: "dead-letters: Not every letter can be sent again.\n",
  });
});

test("discards only what was agreed to", async () => {
  for (let id = 1; id <= 3; id++) await setAside(publisher, { payload: gameStart(id) });
  const nothing = { code: 1, stdout: "", stderr: expect.stringContaining("Nothing was discarded.\n") };
  expect(await deadLetters("discard 1")).toEqual(nothing);
  expect(await deadLetters("discard --all", { input: "no\n" })).toEqual(nothing);
  expect(await count("CASINO_DEAD")).toBe(3);
  const asked = await deadLetters("discard 1", { input: "y\n" });
  expect(asked).toMatchObject({ code: 0, stdout: "1 discarded\n" });
  expect(asked.stderr).toContain("Discard dead letter 1 (unknown_type, casino) for good? [y/N]");
  expect((await deadLetters("discard --all --step currency --yes")).stdout).toBe("2 discarded\n");
  expect(await count("CASINO_DEAD")).toBe(0);
});

test("says what is wrong", async () => {
  const missing = "dead-letters: There is no dead letter 99: it was sent again, discarded, or too old.\n";
  for (const line of ["show 99", "replay 99", "replay 99 --dry-run", "discard 99 --yes"])
    expect(await deadLetters(line)).toEqual({ code: 1, stdout: "", stderr: missing });
  expect(await deadLetters("show x")).toMatchObject({
    code: 78,
    stderr: expect.stringContaining('not "x".\n--help'),
  });
  await setAside(publisher);
  expect((await deadLetters("replay 1 --payload /nowhere")).stderr).toMatch(
    /^dead-letters: The payload cannot be read: /,
  );
  await jsm.streams.delete("CASINO_RAW");
  const unsent = await deadLetters("replay 1");
  expect(unsent).toMatchObject({ code: 1, stdout: "" });
  expect(unsent.stderr).toMatch(
    /^dead-letters: Dead letter 1 was not sent again: no stream takes casino\.event\.raw\.casino.*\n$/,
  );
  expect(await count("CASINO_DEAD")).toBe(1);
  await jsm.streams.delete("CASINO_DEAD");
  expect((await deadLetters("list")).stderr).toMatch(
    /^dead-letters: The stream CASINO_DEAD does not exist yet/,
  );
  const away = await deadLetters("list", { env: { NATS_URL: "nats://casino:secret@127.0.0.1:1" } });
  expect(away).toEqual({ code: 1, stdout: "", stderr: "dead-letters: NATS is away: check NATS_URL.\n" });
});
