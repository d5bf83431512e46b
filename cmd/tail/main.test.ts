import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ensureStreams } from "../../internal/jetstream/topology.ts";
import { brokerForTest, defaultLimits } from "../../test/harness/broker.ts";
import { startCommand } from "../../test/harness/command.ts";
import { databaseForTest, natsForTest } from "../../test/harness/infrastructure.ts";
import { tempFolder } from "../../test/harness/temp-folder.ts";
import { waitFor } from "../../test/harness/wait-for.ts";

const { server, nc, jsm } = await brokerForTest();
const tail = (...args: readonly string[]) =>
  startCommand("cmd/tail/main.ts", { args, env: { NATS_URL: server.url } });
const event = (id: number, description: string) => JSON.stringify({ id, type: "bet", description });

test("without the stream it says so and makes none", async () => {
  const command = tail();
  expect(await command.ended).toMatchObject({ code: 69 });
  expect(command.stderr).toBe(
    `tail: The stream CASINO_EVENTS does not exist yet: an enricher makes it at its start (NATS_URL is ${server.url}).\n`,
  );
  expect((await jsm.getAccountInfo()).streams).toBe(0);
});

test("where there is no JetStream for it, it says so", async () => {
  const config = join(tempFolder("account"), "nats.conf");
  writeFileSync(config, "accounts { A { users: [{ user: a, password: a }] } }\nno_auth_user: a\n");
  const { url } = await natsForTest({ config, readyWhen: "connect" });
  const command = startCommand("cmd/tail/main.ts", { env: { NATS_URL: url } });
  expect(await command.ended).toMatchObject({ code: 69 });
  expect(command.stderr).toBe(
    `tail: NATS JetStream is away: nobody answers for it. Start nats-server with -js, or use an account that has it (NATS_URL is ${url}).\n`,
  );
});

test("shows what was stored and what comes, filtered, and leaves no consumer behind", async () => {
  await ensureStreams(nc, ["final"], defaultLimits);
  nc.publish("casino.event.final.acme.bet", event(1, "Player #1 \u001b[31mplaced a bet."));
  nc.publish("casino.event.final.acme.deposit", event(2, "Player #2 made a deposit."));
  nc.publish("casino.event.final.other.bet", event(3, "Player #3 placed a bet."));
  await nc.flush();

  const command = tail("--client", "acme", "--type", "bet", "--since", "1h", "--limit", "2");
  await waitFor(() => command.stdout.includes("\n"));
  expect(command.stdout).toMatch(
    /^\d\d:\d\d:\d\d\.\d{3} {2}acme {2}bet {2}Player #1 \\u001b\[31mplaced a bet\.\n$/,
  );
  nc.publish("casino.event.final.acme.bet", event(4, "Player #4 placed a bet."));
  expect(await command.ended).toMatchObject({ code: 0 });
  expect(command.stdout).toContain("Player #4");
  expect(command.stdout).not.toMatch(/#[23]/);

  const json = tail("--json", "--since", "1h");
  await waitFor(() => json.stdout.split("\n").length === 5);
  expect(json.stdout.split("\n")[1]).toBe(event(2, "Player #2 made a deposit."));
  json.child.kill("SIGINT");
  expect(await json.ended).toEqual({ code: 0, signal: null });
  await waitFor(async () => (await jsm.streams.info("CASINO_EVENTS")).state.consumer_count === 0);
});

test("a client or type that does not exist is a mistake, and the first event of one that exists is waited for", async () => {
  await ensureStreams(nc, ["final"], defaultLimits);
  const url = await databaseForTest();
  const migrated = startCommand("cmd/migrate/main.ts", { env: { DATABASE_URL: url } });
  expect(await migrated.ended).toMatchObject({ code: 0 });
  const env = { NATS_URL: server.url, DATABASE_URL: url };
  const asked = (...args: readonly string[]) => startCommand("cmd/tail/main.ts", { args, env });
  const nobody = asked("--client", "casinno");
  expect(await nobody.ended).toMatchObject({ code: 1 });
  expect(nobody.stderr).toBe("tail: There is no client casinno: did you mean casino?\n");
  const nothing = asked("--type", "deposti");
  expect(await nothing.ended).toMatchObject({ code: 1 });
  expect(nothing.stderr).toBe("tail: There is no type deposti: did you mean deposit?\n");

  const waiting = asked("--client", "casino", "--limit", "1");
  await waitFor(() => waiting.stderr.includes("no such event yet"));
  await waitFor(async () => (await jsm.streams.info("CASINO_EVENTS")).state.consumer_count === 1);
  nc.publish("casino.event.final.casino.bet", event(9, "Player #9 placed a bet."));
  expect(await waiting.ended).toMatchObject({ code: 0 });
  expect(waiting.stdout).toContain("Player #9");
});
