import { expect, test } from "vitest";
import { silent } from "../../test/harness/broker.ts";
import type { CasinoEvent } from "../casino/event.ts";
import { LogLimit } from "../service/log-limit.ts";
import { Unavailable } from "../service/unavailable.ts";
import { description } from "./description.ts";

const context = { log: new LogLimit(silent), signal: new AbortController().signal };
const start: CasinoEvent = {
  id: 1,
  player_id: 10,
  game_id: 100,
  type: "game_start",
  created_at: "2022-01-10T12:34:56.789Z",
};
const deposit: CasinoEvent = {
  id: 2,
  player_id: 10,
  type: "deposit",
  amount: 100,
  currency: "EUR",
  created_at: start.created_at,
};

test("a game has the title that its client gives it", async () => {
  const step = description({
    titleOf: (client, game) => (client === "lucky-spin" && game === 100 ? "Lucky Dice" : undefined),
  });
  const outcomes = await step.enrich(
    [
      { client: "lucky-spin", event: start },
      { client: "casino", event: start },
    ],
    context,
  );
  expect(outcomes).toMatchObject([
    { event: { description: expect.stringContaining('started playing a game "Lucky Dice" on') } },
    { event: { description: expect.stringContaining("started playing a game #100 on") } },
  ]);
});

test("while no titles are known events of games wait, and others go on", async () => {
  const step = description({
    titleOf: () => {
      throw new Unavailable("not loaded yet");
    },
  });
  await expect(step.enrich([{ client: "casino", event: start }], context)).rejects.toThrow("not loaded yet");
  expect(await step.enrich([{ client: "casino", event: deposit }], context)).toMatchObject([
    { event: { description: "Player #10 made a deposit of 1 EUR on January 10th, 2022 at 12:34 UTC." } },
  ]);
});
