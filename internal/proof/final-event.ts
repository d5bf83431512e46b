import type { NatsConnection } from "nats";
import { defaultSource } from "../actor/envelope.ts";
import { replaysHeader } from "../dead-letters/letter.ts";
import { type Accepted, acceptedHeader, parseAccepted } from "../jetstream/accepted.ts";
import { askBroker, isObject, RefusedRequest } from "../jetstream/api.ts";
import type { Delivery } from "../jetstream/delivery.ts";
import { clientOf } from "../jetstream/subjects.ts";
import { type EventKey, eventOf } from "./event-key.ts";

/** What a message of CASINO_EVENTS says of itself. */
export interface FinalEvent {
  readonly seq: number;
  /** In ms since the epoch. */
  readonly storedAt: number;
  /** Undefined for a message that is no event. */
  readonly key: EventKey | undefined;
  /** The accepted event it was made of; undefined when it says none. */
  readonly accepted: Accepted | undefined;
  /** The dead letter of a reader, the archiver for one, that put it here once more. */
  readonly replayOf: number | undefined;
  /** Whether it was a dead letter on its way. */
  readonly wasReplayed: boolean;
}

/**
 * Reads a message of CASINO_EVENTS by its headers, which the pipeline writes; where somebody else wrote them, its payload is
 * asked for. @throws Unavailable
 */
export async function readFinalEvent(nc: NatsConnection, delivery: Delivery): Promise<FinalEvent> {
  const { headers, subject, streamSequence: seq, storedAt } = delivery;
  const client = clientOf(subject);
  const messageId = headers.get("Nats-Msg-Id");
  const named = eventOf(messageId);
  const replay = /:replay:([1-9]\d{0,15})$/.exec(messageId)?.[1];
  return {
    seq,
    storedAt,
    key: named?.client === client ? named : await readKey(nc, delivery, client),
    accepted: parseAccepted(headers.get(acceptedHeader)),
    replayOf: replay === undefined ? undefined : Number(replay),
    wasReplayed: headers.get(replaysHeader) !== "",
  };
}

async function readKey(
  nc: NatsConnection,
  { stream, streamSequence: seq, headers }: Delivery,
  client: string,
): Promise<EventKey | undefined> {
  const source = headers.get("Casino-Source") || defaultSource;
  try {
    const { message } = await askBroker(nc, `STREAM.MSG.GET.${stream}`, { seq });
    const data = isObject(message) && typeof message.data === "string" ? message.data : "";
    const body: unknown = JSON.parse(Buffer.from(data, "base64").toString());
    const id = isObject(body) && typeof body.id === "number" ? body.id : 0;
    return eventOf(`${client}:${source}:${id}`);
  } catch (err) {
    // No JSON, or just gone of age.
    if (err instanceof SyntaxError || (err instanceof RefusedRequest && err.isMessageMissing))
      return undefined;
    throw err;
  }
}
