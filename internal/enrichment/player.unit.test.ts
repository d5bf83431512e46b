import { pino } from "pino";
import { expect, test } from "vitest";
import type { CasinoEvent, GameEvent } from "../casino/event.ts";
import { LogLimit } from "../service/log-limit.ts";
import { Unavailable } from "../service/unavailable.ts";
import { type PlayerKey, type Players, player } from "./player.ts";

const game = (id: number, player_id: number): GameEvent => ({
  id,
  type: "game_start",
  player_id,
  game_id: 100,
  created_at: "2026-01-02T03:04:05.678Z",
});
const jane = { email: "jane@example.com", last_signed_in_at: null };

const lines: Record<string, unknown>[] = [];
const log = pino(
  { base: null, timestamp: false },
  { write: (line: string) => void lines.push(JSON.parse(line)) },
);
const context = { log: new LogLimit(log), signal: new AbortController().signal };

test("looks the whole batch up at once and every batch anew, adds whom it found, logs once whom it did not", async () => {
  const asked: (readonly PlayerKey[])[] = [];
  const players: Players = {
    find: async (keys) => {
      asked.push(keys);
      return keys.map(({ client, id }) => ({
        clientKnown: client === "casino",
        player: id === 11 ? jane : undefined,
      }));
    },
  };
  const custom: CasinoEvent = { id: 4, type: "note", data: {}, created_at: "2026-01-02T03:04:05.678Z" };
  const batch = [
    { client: "casino", event: game(1, 11) },
    { client: "casino", event: game(2, 99) },
    { client: "stranger", event: game(3, 11) },
    { client: "casino", event: custom },
    { client: "casino", event: game(5, 99) },
  ];
  const outcomes = await player(players).enrich(batch, context);
  expect(outcomes).toEqual([
    { kind: "forward", event: { ...game(1, 11), player: jane } },
    { kind: "forward", event: game(2, 99) },
    {
      kind: "dead-letter",
      reason: "unknown_client",
      because: 'The client "stranger" is not registered, or is disabled.',
    },
    { kind: "forward", event: custom },
    { kind: "forward", event: game(5, 99) },
  ]);
  expect(lines).toEqual([
    { level: 30, client: "casino", event_id: 5, player_id: 99, msg: "player not found" },
  ]);
  await player(players).enrich(batch, context);
  expect(asked).toEqual(
    Array(2).fill([
      { client: "casino", id: 11 },
      { client: "casino", id: 99 },
      { client: "stranger", id: 11 },
      { client: "casino", id: undefined },
      { client: "casino", id: 99 },
    ]),
  );
});

test("a flood of unknown players is some lines of the log", async () => {
  const players: Players = {
    find: async (keys) => keys.map(() => ({ clientKnown: true, player: undefined })),
  };
  const batch = Array.from({ length: 200 }, (_, id) => ({ client: "casino", event: game(id, id) }));
  lines.length = 0;
  const outcomes = await player(players).enrich(batch, { ...context, log: new LogLimit(log) });
  expect(outcomes.every(({ kind }) => kind === "forward")).toBe(true);
  expect(lines).toHaveLength(20);
});

test("passes on that the database is away", async () => {
  const players: Players = { find: () => Promise.reject(new Unavailable("Postgres is away")) };
  await expect(player(players).enrich([{ client: "casino", event: game(1, 11) }], context)).rejects.toThrow(
    Unavailable,
  );
});
