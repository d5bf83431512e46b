import type { Outgoing } from "../jetstream/publisher.ts";
import { OutgoingHeaders } from "../jetstream/wire-headers.ts";
import { bytesOf, type Enclosed } from "./enclosed.ts";
import { addIdentity } from "./envelope.ts";
import { apartSubject } from "./subjects.ts";

/**
 * The message in which an event leaves the one it came in, to wait or to be handled alone in the step's CASINO_APART.
 * It never goes back to its own stage: there it would get a new number, queue behind all others, and find no room
 * when the stage is full of the very messages that have to be left.
 */
export function apartMessage(step: string, enclosed: Enclosed): Outgoing {
  const { envelope, mediaType } = enclosed;
  const headers = new OutgoingHeaders();
  if (envelope.accepted !== undefined) headers.add("Nats-Msg-Id", `${envelope.accepted}:${step}:apart`);
  addIdentity(headers, envelope);
  if (mediaType !== "") headers.add("Content-Type", mediaType);
  return { subject: apartSubject(step, envelope.client), payload: bytesOf(enclosed), headers };
}
