import type { Delivery } from "../jetstream/delivery.ts";
import type { Enclosed } from "../messages/enclosed.ts";
import type { ClientEvent, DeadLetter, Later } from "./step.ts";

/** A decoded event on its way through a step, with what it came in. */
export interface Work extends ClientEvent {
  /** The message that carried it, alone or with others. */
  readonly delivery: Delivery;
  readonly enclosed: Enclosed;
}

/** Something the step cannot be asked about. */
export interface Refused {
  readonly delivery: Delivery;
  /** The event; undefined for the message as a whole. */
  readonly enclosed: Enclosed | undefined;
  readonly outcome: DeadLetter | Later;
}

/** Most events in one call of a step, from whatever messages. */
const mostEventsPerCall = 256;

/** Splits events into calls of the step, in order. */
export function callsOf(works: readonly Work[]): readonly (readonly Work[])[] {
  if (works.length <= mostEventsPerCall) return [works];
  const calls: Work[][] = [];
  for (let from = 0; from < works.length; from += mostEventsPerCall)
    calls.push(works.slice(from, from + mostEventsPerCall));
  return calls;
}

/** The messages that carried these events, each once: events of one message are neighbours. */
export function deliveriesOf(works: readonly Work[]): readonly Delivery[] {
  return works.map(({ delivery }) => delivery).filter((delivery, index, all) => delivery !== all[index - 1]);
}
