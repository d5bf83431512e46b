import type { Delivery } from "../jetstream/delivery.ts";
import type { Enclosed } from "../messages/enclosed.ts";
import type { ClientEvent, DeadLetter, Later } from "./step.ts";

/** A decoded event on its way through a step: what the step is asked about. */
export interface Work extends ClientEvent {
  /** What carried it, alone or among others. */
  readonly delivery: Delivery;
  readonly enclosed: Enclosed;
}

/** What a step cannot be asked about. */
export interface Refused {
  readonly delivery: Delivery;
  /** The event; undefined when it is the message as a whole. */
  readonly enclosed: Enclosed | undefined;
  readonly outcome: DeadLetter | Later;
}

/** Most events of one call of a step, whatever messages they came in. */
const mostEventsPerCall = 256;

/** Events in calls of the step, in their order. */
export function callsOf(works: readonly Work[]): readonly (readonly Work[])[] {
  if (works.length <= mostEventsPerCall) return [works];
  const calls: Work[][] = [];
  for (let from = 0; from < works.length; from += mostEventsPerCall)
    calls.push(works.slice(from, from + mostEventsPerCall));
  return calls;
}

/** What carried these events, each once: those of one message are neighbours. */
export function deliveriesOf(works: readonly Work[]): readonly Delivery[] {
  return works.map(({ delivery }) => delivery).filter((delivery, index, all) => delivery !== all[index - 1]);
}
