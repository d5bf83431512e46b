import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { keyForTest, pipelineForTest } from "./harness/pipeline.ts";
import { runForTest, serviceForTest } from "./harness/service.ts";
import { tempFolder } from "./harness/temp-folder.ts";
import { waitFor } from "./harness/wait-for.ts";

const { jsm, env } = await pipelineForTest();

test("a casino is taken on without SQL: its players and games come in, and its events speak of them", async () => {
  await runForTest("clients", ["add", "lucky-7"], env);
  const key = await keyForTest("lucky-7", "crm", env);
  const file = join(tempFolder("taking-on"), "players.csv");
  writeFileSync(file, "id;email;last_signed_in_at\n10;seven@example.com;2022-01-09T12:00:00Z\n");
  await runForTest("players", ["import", "lucky-7", file], env);

  const [gateway] = await Promise.all([serviceForTest("gateway", env), serviceForTest("enricher", env)]);
  const send = async (method: string, path: string, body: object): Promise<number> => {
    const answer = await fetch(`${gateway.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    await answer.body?.cancel();
    return answer.status;
  };
  let id = 0;
  /** What becomes of one more event. */
  const final = async () => {
    const event = {
      id: ++id,
      type: "game_start",
      player_id: 10,
      game_id: 100,
      created_at: "2022-01-10T12:34:56Z",
    };
    expect(await send("POST", "/events", event)).toBe(202);
    const seq = id;
    await waitFor(async () => (await jsm.streams.info("CASINO_EVENTS")).state.last_seq === seq);
    return (await jsm.streams.getMessage("CASINO_EVENTS", { seq }))?.json<{ readonly description: string }>();
  };
  const sentence = (email: string, game: string) =>
    `Player #10 (${email}) started playing a ${game} on January 10th, 2022 at 12:34 UTC.`;

  // As long as it has named no game, it has the titles of the client casino.
  expect(await final()).toMatchObject({
    player: { email: "seven@example.com", last_signed_in_at: "2022-01-09T12:00:00.000Z" },
    description: sentence("seven@example.com", 'game "Rocket Dice"'),
  });
  // A player is looked up for each event, so the very next one has the change.
  expect(await send("PUT", "/players/10", { email: "new@example.com" })).toBe(200);
  expect(await final()).toMatchObject({
    player: { email: "new@example.com", last_signed_in_at: null },
    description: sentence("new@example.com", 'game "Rocket Dice"'),
  });
  expect(await send("PUT", "/games/100", { title: "Lucky Dice" })).toBe(201);
  const named = sentence("new@example.com", 'game "Lucky Dice"');
  await waitFor(async () => (await final())?.description === named, { what: "the title in a sentence" });
});
