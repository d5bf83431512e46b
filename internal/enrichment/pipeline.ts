import type { Step } from "../actor/step.ts";
import { rawStage } from "../messages/subjects.ts";
import { currency, type Rates } from "./currency.ts";
import { description, type Games } from "./description.ts";
import { type Players, player } from "./player.ts";

/** What the steps need from outside. */
export interface Dependencies {
  readonly rates: Rates;
  readonly players: Players;
  readonly games: Games;
}

/** The pipeline: each step takes what the one before it forwards. The first reads raw events, the last makes final ones. */
export const pipeline = (d: Dependencies): readonly Step[] => [
  currency(d.rates),
  player(d.players),
  description(d.games),
];

export interface Station {
  readonly step: Step;
  readonly takesFrom: string;
}

/** The pipeline's steps with their mailboxes, in order. */
export function stations(steps: readonly Step[]): readonly Station[] {
  return steps.map((step, index) => ({ step, takesFrom: steps[index - 1]?.forwardsTo ?? rawStage }));
}

/** The steps by name, in order, and the stage that each reads. */
export const layout: readonly { readonly name: string; readonly takesFrom: string }[] = stations(
  pipeline({
    rates: { current: () => Promise.reject(new Error("only named, never run")) },
    players: { find: () => Promise.reject(new Error("only named, never run")) },
    games: { titleOf: () => undefined },
  }),
).map(({ step, takesFrom }) => ({ name: step.name, takesFrom }));

/** The valid names in STEPS. */
export const stepNames: readonly string[] = layout.map(({ name }) => name);

/** What is wrong with a value of STEPS, as the rest of the sentence "STEPS must …"; undefined if all of its names are steps. */
export function stepsProblem(steps: readonly string[]): string | undefined {
  const unknown = steps.filter((name) => !stepNames.includes(name));
  return unknown.length === 0
    ? undefined
    : `name only steps of ${stepNames.join(", ")}, not ${unknown.join(", ")}`;
}
