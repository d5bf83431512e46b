import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { gameStart, setAside } from "../../internal/dead-letters/letters.fixture.ts";
import { LetterStore } from "../../internal/dead-letters/store.ts";
import { Publisher } from "../../internal/jetstream/publisher.ts";
import { ensureStreams } from "../../internal/jetstream/topology.ts";
import { connectPostgres } from "../../internal/postgres/connect.ts";
import { CommandError } from "../../internal/service/command-error.ts";
import { readCommandLine, TextAsked } from "../../internal/service/command-line.ts";
import { forTerminal } from "../../internal/service/terminal.ts";
import { brokerForTest, defaultLimits, silent } from "../../test/harness/broker.ts";
import { databaseForTest } from "../../test/harness/infrastructure.ts";
import { migrateWithSamples } from "../../test/harness/samples.ts";
import { tempFolder } from "../../test/harness/temp-folder.ts";
import { deadLettersCommand } from "./command.ts";
import { openDryRunRules } from "./dry-run-rules.ts";
import { runCommand } from "./run.ts";

const { nc, jsm } = await brokerForTest();
const publisher = new Publisher(nc);
const folder = tempFolder("payloads");
const database = await databaseForTest({
  async prepare(url) {
    await using db = connectPostgres(url, "test", silent);
    await migrateWithSamples(db);
  },
});

beforeEach(async () => {
  for (const name of ["CASINO_RAW", "CASINO_DEAD"]) await jsm.streams.delete(name).catch(() => false);
  await ensureStreams(nc, ["raw"], defaultLimits);
});

const count = async (stream: string) => (await jsm.streams.info(stream)).state.messages;

/** What a command line says, or the sentence with which it fails. cmd/dead-letters/main.test.ts runs it as people do. */
async function deadLetters(line: string): Promise<string> {
  const command = readCommandLine(deadLettersCommand, line.split(" "));
  if (command instanceof TextAsked) expect.fail("a text was asked for");
  await using open = new AsyncDisposableStack();
  const opening = {
    ...{ name: "test", log: silent, config: { DATABASE_URL: database, EVENT_MAX_AHEAD: 86_400_000 } },
    onClose: (_what: string, close: () => unknown) => open.defer(async () => void (await close())),
  };
  let said = "";
  try {
    await runCommand(command, {
      store: new LetterStore(nc),
      publish: (message) => publisher.publish(message),
      rules: openDryRunRules(opening, nc),
      log: silent,
      say: (text) => {
        said += typeof text === "string" ? forTerminal(text) : Buffer.from(text).toString();
      },
      progress: { show: () => undefined },
      ask: () => Promise.resolve(false),
      signal: new AbortController().signal,
    });
  } catch (err) {
    if (!(err instanceof CommandError)) throw err;
    expect(said).toBe("");
    return `failed: ${err.message}`;
  }
  return said;
}

test("lists what there is, by reason, step and client, and shows one", async () => {
  expect(await deadLetters("list")).toBe("There are no dead letters.\n");
  expect(await deadLetters("list --client acme")).toBe("There are no such dead letters.\n");
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
  const listed = await deadLetters("list --limit 2");
  expect(listed).toMatch(
    /^count {2}reason {9}step {6}client\n2 {6}unknown_type {3}currency {2}casino\n1 {6}invalid_event/,
  );
  expect(listed).toMatch(
    /\nThe newest 2 of 3:\n\nseq {2}at .*\n3 +20\S+Z +invalid_event +currency +acme +2 +\/player_id.*\n2 /,
  );
  expect(await deadLetters("list --client acme")).toMatch(
    /^count .*\n1 .*\n\nThe only one:\n\nseq.*\n3 .*\n$/,
  );

  await setAside(publisher, { payload: gameStart(4), client: "x".repeat(200) });
  expect(await deadLetters("list --limit 1")).toMatch(/ x{40}\n\n.*\n\n.*\n.* x{40} {2}0 /);

  const shown = await deadLetters("show 3");
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
  expect(await deadLetters("show 3 --raw")).toBe('{"id":3}\n\u001b[2J');
});

test("replays one, also with another payload; a dry run sends nothing", async () => {
  await setAside(publisher, { payload: gameStart(1, { type: "jackpot" }) });
  expect(await deadLetters("replay 1 --dry-run")).toBe(
    "1 would fail again as unknown_type: /type must be a registered type\n",
  );
  const file = join(folder, "payload.json");
  await writeFile(file, gameStart(1, { player_id: "x" }));
  expect(await deadLetters(`replay 1 --payload ${file}`)).toBe(
    "failed: Nothing was sent: the payload would fail again: /player_id must be integer",
  );
  await writeFile(file, gameStart(2));
  expect(await deadLetters(`replay 1 --payload ${file}`)).toContain("must keep the event's id, 1.");
  expect(await count("CASINO_RAW")).toBe(0);
  await writeFile(file, gameStart(1));
  expect(await deadLetters(`replay 1 --payload ${file} --dry-run`)).toBe("1 would pass\n");
  expect(await deadLetters(`replay 1 --payload ${file}`)).toBe(
    "1 replayed to casino.event.raw.casino (replay 1)\n",
  );
  expect((await jsm.streams.getMessage("CASINO_RAW", { seq: 1 }))?.string()).toBe(gameStart(1));
  expect(await count("CASINO_DEAD")).toBe(0);
});

test("names what is not there", async () => {
  const missing = "failed: There is no dead letter 99: it was sent again, discarded, or too old.";
  for (const line of ["show 99", "replay 99", "replay 99 --dry-run", "discard 99 --yes"])
    expect(await deadLetters(line)).toBe(missing);
  await setAside(publisher);
  expect(await deadLetters("replay 1 --payload /nowhere")).toMatch(/^failed: The payload cannot be read: /);
  expect(await count("CASINO_DEAD")).toBe(1);
});
