import pg from "pg";
import { waitFor } from "../../harness/wait-for.ts";
import type { Fault } from "./fault.ts";

/** Faults with which the run must fail; otherwise its checks would be worthless. */
export const sabotage: readonly Fault[] = [
  {
    name: "sabotage-lose",
    what: "one event is deleted from Postgres: the run must fail",
    topology: "single",
    inject: async ({ stack }) => {
      const client = new pg.Client({ connectionString: stack.postgres.url });
      await client.connect();
      try {
        const row =
          "delete from events where (client_id, source, id) in (select client_id, source, id from events where client_id = 'casino' limit 1)";
        await waitFor(async () => (await client.query(row)).rowCount, { what: "an event in Postgres" });
      } finally {
        await client.end();
      }
      return "one row deleted";
    },
  },
  {
    name: "sabotage-add",
    what: "a final event that nobody has accepted is published: the run must fail",
    topology: "single",
    inject: async ({ stack }) => {
      const event = {
        id: 1,
        player_id: 10,
        game_id: 100,
        type: "game_start",
        created_at: "2026-01-01T00:00:00.000Z",
      };
      const final = JSON.stringify({ ...event, description: "Nobody knows where it comes from." });
      await stack.jsm.jetstream().publish("casino.event.final.casino.game_start", final);
      return "one final event forged";
    },
  },
];
