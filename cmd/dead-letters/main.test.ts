import { beforeAll, beforeEach, expect, test } from "vitest";
import { gameStart, setAside } from "../../internal/dead-letters/letters.fixture.ts";
import { Publisher } from "../../internal/jetstream/publisher.ts";
import { ensureStreams } from "../../internal/jetstream/topology.ts";
import { connectPostgres } from "../../internal/postgres/connect.ts";
import { brokerForTest, defaultLimits, silent } from "../../test/harness/broker.ts";
import { startCommand } from "../../test/harness/command.ts";
import { runHere } from "../../test/harness/command-here.ts";
import { databaseForTest } from "../../test/harness/infrastructure.ts";
import { migrateWithSamples } from "../../test/harness/samples.ts";

const { server, nc, jsm } = await brokerForTest();
const publisher = new Publisher(nc);
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  const DATABASE_URL = await databaseForTest({
    async prepare(url) {
      await using db = connectPostgres(url, "test", silent);
      await migrateWithSamples(db);
    },
  });
  env = { NATS_URL: server.url, DATABASE_URL };
});
beforeEach(async () => {
  for (const name of ["CASINO_RAW", "CASINO_DEAD"]) await jsm.streams.delete(name).catch(() => false);
  await ensureStreams(nc, ["raw"], defaultLimits);
});

const count = async (stream: string) => (await jsm.streams.info(stream)).state.messages;

const deadLetters = (
  line: string,
  { input = "", env: more = {} }: { input?: string; env?: Readonly<Record<string, string>> } = {},
) =>
  runHere("cmd/dead-letters/main.ts", line.split(" ").filter(Boolean), {
    env: { ...env, ...more },
    stdin: input,
  });

test("lists and shows", async () => {
  await setAside(publisher, { payload: '{"id":1}\n\u001b[2J' });
  expect((await deadLetters("list")).stdout).toContain("\nThe only one:\n");
  const shown = await deadLetters("show 1");
  expect(shown).toMatchObject({ code: 0, stderr: "" });
  // On a terminal the payload would clear it.
  expect(shown.stdout).toContain('Payload (13 bytes):\n{"id":1}\n\\u001b[2J\n');
  expect((await deadLetters("show 1 --raw")).stdout).toBe('{"id":1}\n\u001b[2J');
});

test("replays all that match", async () => {
  for (let id = 1; id <= 5; id++) await setAside(publisher, { payload: gameStart(id) });
  await setAside(publisher, { payload: "nonsense", reason: "invalid_json" });
  await setAside(publisher, { payload: gameStart(7), client: "acme", failedOn: "casino.event.raw.casino" });
  const expected = await deadLetters("replay --all --dry-run");
  expect(expected.stdout).toContain("6 would fail again as invalid_json: must be JSON in UTF-8\n");
  expect(expected.stdout).toMatch(/\n5 would pass, 0 perhaps, 2 would fail; nothing was sent\n$/);
  // A process of its own, as what a log says goes straight to stderr.
  const done = startCommand("cmd/dead-letters/main.ts", {
    args: "replay --all --reason unknown_type --client casino".split(" "),
    env,
  });
  expect(await done.ended).toMatchObject({ code: 0 });
  expect(done.stdout).toBe("5 replayed, 0 already replayed, 0 cannot be\n");
  expect(done.stderr).toBe("");
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
  expect(await deadLetters("show 99")).toEqual({
    code: 1,
    stdout: "",
    stderr: "dead-letters: There is no dead letter 99: it was sent again, discarded, or too old.\n",
  });
  expect(await deadLetters("show x")).toMatchObject({
    code: 78,
    stderr: expect.stringMatching(/not "x"\.\n$/),
  });
  await setAside(publisher);
  await jsm.streams.delete("CASINO_RAW");
  const unsent = await deadLetters("replay 1");
  expect(unsent).toMatchObject({ code: 69, stdout: "" });
  expect(unsent.stderr).toMatch(
    /^dead-letters: Dead letter 1 was not sent again: no stream takes casino\.event\.raw\.casino.*\n$/,
  );
  expect(await count("CASINO_DEAD")).toBe(1);
  await jsm.streams.delete("CASINO_DEAD");
  expect((await deadLetters("list")).stderr).toMatch(
    /^dead-letters: The stream CASINO_DEAD does not exist yet/,
  );
  const away = await deadLetters("list", { env: { NATS_URL: "nats://casino:secret@127.0.0.1:1" } });
  expect(away).toEqual({
    code: 69,
    stdout: "",
    stderr:
      "dead-letters: NATS is away: no NATS answers at nats://***@127.0.0.1:1. Start it, or set NATS_URL.\n",
  });
});
