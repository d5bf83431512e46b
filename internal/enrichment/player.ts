import { deadLetter, forward, type Step } from "../actor/step.ts";
import { type CasinoEvent, isCustom, type Player } from "../casino/event.ts";

/** What to look up; without a player only the client is checked. */
export interface PlayerKey {
  readonly client: string;
  readonly id: number | undefined;
}

/** The answer to one key. */
export interface PlayerLookUp {
  /** The client is registered and not disabled. */
  readonly clientKnown: boolean;
  readonly player: Player | undefined;
}

/** What this step needs from outside. */
export interface Players {
  /** The current state of the database: one answer per key, in the same order. @throws Unavailable */
  find(keys: readonly PlayerKey[], signal: AbortSignal): Promise<readonly PlayerLookUp[]>;
}

/**
 * Adds the player's e-mail and last sign-in, with one query per batch and no cache. An unknown player is left out of the
 * event; an unknown client makes a dead letter.
 */
export function player(players: Players): Step {
  return {
    name: "player",
    forwardsTo: "profiled",
    async enrich(batch, { signal, log }) {
      const keys = batch.map(({ client, event }) => ({ client, id: playerId(event) }));
      const found = await players.find(keys, signal);
      const missing = new Map<string, { readonly client: string; readonly details: object }>();
      const outcomes = batch.map(({ client, event }, index) => {
        const lookUp = found[index];
        if (!lookUp?.clientKnown)
          return deadLetter("unknown_client", `The client "${client}" is not registered, or is disabled.`);
        if (lookUp.player !== undefined) return forward({ ...event, player: lookUp.player });
        const id = playerId(event);
        if (id !== undefined)
          missing.set(`${client} ${id}`, { client, details: { event_id: event.id, player_id: id } });
        return forward(event);
      });
      // Once for each player: a batch may have hundreds of events of one.
      for (const { client, details } of missing.values())
        log.line("info", { client }, details, "player not found");
      return outcomes;
    },
  };
}

function playerId(event: CasinoEvent): number | undefined {
  return isCustom(event) ? undefined : event.player_id;
}
