import { deadLetter, forward, type Step } from "../actor/step.ts";
import { describe } from "../casino/description.ts";
import { isMoney } from "../casino/event.ts";
import { minorUnits } from "../casino/money.ts";

/** What this step needs from outside. */
export interface Games {
  /** The client's current title of a game; undefined for one without. @throws Unavailable while none is known */
  titleOf(client: string, game: number): string | undefined;
}

/** Adds the one English sentence that says what happened. */
export function description(games: Games): Step {
  return {
    name: "description",
    forwardsTo: "final",
    async enrich(batch) {
      return batch.map(({ client, event }) =>
        // Only where somebody published past the currency step: an amount cannot be written without knowing its decimals.
        isMoney(event) && minorUnits(event.currency) === undefined
          ? deadLetter("unsupported_currency", `/currency ${event.currency} is not in use (ISO 4217)`)
          : forward({ ...event, description: describe(event, (game) => games.titleOf(client, game)) }),
      );
    },
  };
}
