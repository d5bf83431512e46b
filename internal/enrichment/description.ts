import { forward, type Step } from "../actor/step.ts";
import { describe } from "../casino/description.ts";

/** Adds the one English sentence that says what happened. */
export function description(): Step {
  return {
    name: "description",
    forwardsTo: "final",
    async enrich(batch) {
      return batch.map(({ event }) => forward({ ...event, description: describe(event) }));
    },
  };
}
