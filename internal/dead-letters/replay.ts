import { isSource } from "../casino/event.ts";
import { type PubAck, PublishError } from "../jetstream/pub-ack.ts";
import type { Outgoing } from "../jetstream/publisher.ts";
import { type EventSubject, parseEventSubject } from "../jetstream/subjects.ts";
import { OutgoingHeaders } from "../jetstream/wire-headers.ts";
import { parseProtobufEvents, protobufType } from "../protobuf/decode.ts";
import { Unavailable } from "../unavailable.ts";
import { type Letter, replaysHeader, sourceOf } from "./letter.ts";
import { type RemovalOptions, writeDown } from "./removal.ts";

/** A letter that cannot be sent again, or not like that; the message is one sentence. */
export class Unreplayable extends Error {
  override readonly name = "Unreplayable";
}

/** What became of a letter that was to be sent again. */
export interface Replayed {
  readonly seq: number;
  /** "already replayed": somebody had sent it before but the letter was still there; nothing was sent now. */
  readonly outcome: "replayed" | "already replayed";
  /** Where it was sent. */
  readonly subject: string;
  /** How often it was sent again, this time included. */
  readonly replays: number;
}

export type ReplayOptions = RemovalOptions;

/**
 * Sends a letter to where it failed, writes that into the ledger, and then removes it. Whenever this is cut off, doing it again within the stream's
 * duplicate window sends nothing twice; later the event's own ids see to that.
 *
 * @param edited instead of the original payload
 * @throws Unreplayable when it can never be sent like that; Unavailable when the letter may still be there
 */
export async function replay(letter: Letter, options: ReplayOptions, edited?: Uint8Array): Promise<Replayed> {
  const { store, publish, log, by } = options;
  const message = replayOf(letter, edited);
  const { seq, client, step, reason } = letter;
  const replays = letter.replays + 1;
  let ack: PubAck;
  try {
    ack = await publish(message);
  } catch (err) {
    if (!(err instanceof PublishError)) throw err;
    if (err.isTooLarge)
      throw new Unreplayable(`It does not fit into the stream: ${err.message}.`, { cause: err });
    const because = err.isStreamFull ? "the stream it goes to is full" : err.message;
    throw new Unavailable(`Dead letter ${seq} was not sent again: ${because}.`, { cause: err });
  }
  const outcome = ack.duplicate ? "already replayed" : "replayed";
  log.info(
    {
      seq,
      client,
      step,
      reason,
      subject: message.subject,
      storedAs: ack.seq,
      replays,
      edited: edited !== undefined,
      by,
    },
    `dead letter ${outcome}`,
  );
  try {
    await writeDown("replayed", letter, options, ack);
    await store.remove(seq);
  } catch (cause) {
    throw new Unavailable(
      `Dead letter ${seq} was sent again, but could not be removed: replay it once more within two minutes, nothing is sent twice.`,
      { cause },
    );
  }
  return { seq, outcome, subject: message.subject, replays };
}

/**
 * The message that a letter becomes: client, source and trace as they were. Its id is its own, because the original one
 * would be answered "duplicate" and store nothing; it is the same for every attempt on this letter.
 * @throws Unreplayable
 */
export function replayOf(letter: Letter, edited?: Uint8Array): Outgoing {
  const failedOn = placeOf(letter);
  const originalId = isProtobuf(letter)
    ? fieldOf(parseProtobufEvents(letter.payload)?.[0], "id")
    : eventField(letter.payload, "id");
  if (edited !== undefined) checkEdit(failedOn, originalId, edited);
  const headers = new OutgoingHeaders()
    .add("Nats-Msg-Id", `${messageIdOf(letter, failedOn, originalId)}:replay:${letter.seq}`)
    // Before the others, of which a next letter may have to cut some.
    .add(replaysHeader, String(letter.replays + 1));
  // What is the broker's, the letter's or said above; and an edited payload is JSON, whatever the original was.
  const left = edited === undefined ? ownHeaders : [...ownHeaders, "content-type"];
  for (const [name, value] of letter.headers.entries())
    if (!left.some((start) => name.toLowerCase().startsWith(start))) headers.add(name, value);
  return { subject: letter.failedOn, payload: edited ?? letter.payload, headers };
}

const ownHeaders = ["nats-", "casino-dead-", replaysHeader.toLowerCase()];

/** Where a letter failed. @throws Unreplayable when that is no place of the pipeline, or another client's */
export function placeOf(letter: Letter): EventSubject {
  const place = parseEventSubject(letter.failedOn);
  if (place === undefined || /[\s*>]/.test(letter.failedOn))
    throw new Unreplayable(
      "It does not say where it failed: its Casino-Dead-Subject is no subject of the pipeline.",
    );
  if (place.client !== letter.client)
    throw new Unreplayable(`It lies with client "${letter.client}", but failed on ${letter.failedOn}.`);
  return place;
}

/** An edit mends an event; another event's id or type would make another event of it. */
function checkEdit({ stage, type }: EventSubject, originalId: unknown, edited: Uint8Array): void {
  if (isId(originalId) && eventField(edited, "id") !== originalId)
    throw new Unreplayable(`The payload must keep the event's id, ${originalId}.`);
  if (type !== undefined && eventField(edited, "type") !== type)
    throw new Unreplayable(
      `The payload must keep the event's type, "${type}", because it failed in stage ${stage}.`,
    );
}

function messageIdOf(letter: Letter, { client, stage }: EventSubject, id: unknown): string {
  const source = sourceOf(letter);
  if (isId(id) && isSource(source)) return `${client}:${source}:${id}:${stage}`;
  // Nothing tells the event apart but the place it had in its stream.
  return letter.headers.get("Nats-Msg-Id") || `${client}:${stage}`;
}

const isId = (id: unknown): id is number => Number.isSafeInteger(id) && Number(id) > 0;

/** As the first step sees it. */
function isProtobuf({ headers }: Letter): boolean {
  const [mediaType = ""] = headers.get("Content-Type").split(";");
  return mediaType.trim().toLowerCase() === protobufType;
}

function eventField(payload: Uint8Array, name: string): unknown {
  try {
    return fieldOf(JSON.parse(Buffer.from(payload).toString()), name);
  } catch {
    return undefined;
  }
}

function fieldOf(event: unknown, name: string): unknown {
  return typeof event === "object" && event !== null
    ? Object.entries(event).find(([key]) => key === name)?.[1]
    : undefined;
}
