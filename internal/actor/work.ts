import type { Decoded } from "../casino/decode.ts";
import type { Delivery } from "../jetstream/delivery.ts";
import { type Envelope, readEnvelope } from "./envelope.ts";
import { type ClientEvent, type DeadLetter, deadLetter } from "./step.ts";

/** Reads the event in a message of this client; `contentType` is empty where the message names none. */
export type Decode = (payload: Uint8Array, client: string, contentType: string) => Decoded | Promise<Decoded>;

/** One decoded delivery on its way through a step. */
export interface Work extends ClientEvent {
  readonly delivery: Delivery;
  readonly envelope: Envelope;
}

/** What a step can work on, or why it is no event. Throws and rejects as `decode` does. */
export function openDelivery(
  delivery: Delivery,
  decode: Decode,
): Work | DeadLetter | Promise<Work | DeadLetter> {
  const envelope = readEnvelope(delivery);
  if ("reason" in envelope) return deadLetter(envelope.reason, envelope.because);
  const { client } = envelope;
  const open = (decoded: Decoded): Work | DeadLetter => {
    if (decoded.ok) return { delivery, envelope, client, event: decoded.event };
    const sentence = decoded.errors.map((error) => `${error.path} ${error.message}`.trim()).join("; ");
    return deadLetter(decoded.reason, sentence);
  };
  const decoded = decode(delivery.data, client, delivery.headers.get("Content-Type"));
  return decoded instanceof Promise ? decoded.then(open) : open(decoded);
}
