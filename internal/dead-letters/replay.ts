import { type PubAck, PublishError } from "../jetstream/pub-ack.ts";
import type { Outgoing } from "../jetstream/publisher.ts";
import { OutgoingHeaders } from "../jetstream/wire-headers.ts";
import { mediaTypeOf } from "../messages/enclosed.ts";
import { replaysHeader } from "../messages/envelope.ts";
import { eventKey, replayMessageId } from "../messages/event-key.ts";
import { type LetterRecord, ledgerMessage } from "../messages/ledger.ts";
import { type Letter, sourceOf } from "../messages/letter.ts";
import { claimText, newToken, replayHeader } from "../messages/replay-claim.ts";
import { identityOf, retryMessage } from "../messages/retry.ts";
import {
  destinationOf,
  type EventSubject,
  finalStage,
  parseEventSubject,
  rawStage,
  stageStream,
} from "../messages/subjects.ts";
import { protobufEventId, protobufType } from "../protobuf/decode.ts";
import { isObject, isPositiveInteger, readJson } from "../service/json.ts";
import { Unavailable } from "../service/unavailable.ts";
import { type RemovalOptions, recordOf, writeDown } from "./removal.ts";

/** A letter that cannot be replayed, or not with this payload; the message is one sentence. */
export class Unreplayable extends Error {
  override readonly name = "Unreplayable";
}

interface Replayed {
  readonly seq: number;
  /** "already replayed": somebody had replayed the letter, which still existed; nothing was sent now. */
  readonly outcome: "replayed" | "already replayed";
  /** Where it was sent. */
  readonly subject: string;
  /** How often it was replayed, including this time. */
  readonly replays: number;
}

export type ReplayOptions = RemovalOptions;

/**
 * Sends a letter to where it failed and then removes it. The ledger records before what will be sent, and afterwards
 * where it lies. If it is interrupted, the letter still exists and can be replayed: what the ledger reports as stored is
 * not sent twice, and otherwise the event's own id makes it final only once.
 *
 * @param edited replaces the original payload
 * @throws Unreplayable when it can never be sent like this; Unavailable when the letter may still exist
 */
export async function replay(letter: Letter, options: ReplayOptions, edited?: Uint8Array): Promise<Replayed> {
  const { store, log, by } = options;
  // Before anything is recorded: it throws when the letter cannot be sent.
  const { subject } = replayOf(letter, newToken(), edited);
  const begun = await begin(letter, options);
  const { seq, client, step, reason } = letter;
  const replays = begun.replays ?? letter.replays + 1;
  const isDone = begun.kind === "replayed";
  let outcome: Replayed["outcome"] = "already replayed";
  let storedAs = begun.storedAs;
  if (!isDone) {
    const ack = await send(letter, replayOf(letter, begun.token ?? "", edited), options);
    // To a later stage, the id contains the ledger's token: a duplicate can only be this very replay.
    outcome = ack.duplicate ? "already replayed" : "replayed";
    storedAs = `${ack.stream}:${ack.seq}`;
  }
  const details = { seq, client, step, reason, subject, storedAs, replays, edited: edited !== undefined, by };
  log.info(details, `dead letter ${outcome}`);
  try {
    if (!isDone) await writeDown({ ...begun, kind: "replayed", ...(storedAs ? { storedAs } : {}) }, options);
    await store.remove(letter);
  } catch (cause) {
    throw new Unavailable(
      `Dead letter ${seq} was sent again, but could not be removed: replay it once more.`,
      {
        cause,
      },
    );
  }
  return { seq, outcome, subject, replays };
}

/**
 * The ledger's record of this replay: an earlier attempt's, or a new one with a token of its own. Of several processes
 * one writes it and the others find it.
 */
async function begin(letter: Letter, options: ReplayOptions): Promise<LetterRecord> {
  const { store, publish, by } = options;
  for (;;) {
    const { record, seq } = await store.lastRecord(letter);
    if (record?.kind === "replaying" || record?.kind === "replayed") return { ...record, by };
    const fresh = {
      ...recordOf("replaying", letter, by),
      token: newToken(),
      replays: letter.replays + 1,
    };
    try {
      await publish(ledgerMessage(fresh, seq));
      return fresh;
    } catch (cause) {
      if (!(cause instanceof PublishError)) throw cause;
      if (cause.isOutrun) continue;
      const because = cause.isStreamFull ? "the ledger is full" : cause.message;
      throw new Unavailable(`Dead letter ${letter.seq} was not sent again: ${because}.`, { cause });
    }
  }
}

async function send({ seq }: Letter, message: Outgoing, { publish }: ReplayOptions): Promise<PubAck> {
  try {
    return await publish(message);
  } catch (err) {
    if (!(err instanceof PublishError)) throw err;
    if (err.isTooLarge)
      throw new Unreplayable(`It does not fit into the stream: ${err.message}.`, { cause: err });
    const because = err.isStreamFull ? "the stream it goes to is full" : err.message;
    throw new Unavailable(`Dead letter ${seq} was not sent again: ${because}.`, { cause: err });
  }
}

/**
 * The message that a letter becomes; a sender's letter becomes a delivery to its destination. Client, source and trace
 * stay as they were. To the first stage it goes without an id, as every raw message, and with what lets the first step
 * ask the ledger how often it was replayed. To a later stage it needs an id that nobody can guess, because the original
 * one would be answered "duplicate" and store nothing.
 * @param token the ledger's record of this replay
 * @throws Unreplayable
 */
export function replayOf(letter: Letter, token: string, edited?: Uint8Array): Outgoing {
  const failedOn = placeOf(letter);
  if (edited === undefined && !letter.isWhole)
    throw new Unreplayable("A part of its bytes is gone: send it with a payload of its own.");
  const isProtobuf = mediaTypeOf(letter.headers.get("Content-Type")) === protobufType;
  const originalId = isProtobuf ? protobufEventId(letter.payload) : eventField(letter.payload, "id");
  if (edited !== undefined) checkEdit(failedOn, originalId, edited);
  const destination = destinationOf(letter.step);
  if (destination !== undefined)
    return deliveryOf(letter, destination, originalId, token, withoutMark(edited) ?? letter.payload);
  const isRaw = failedOn.stage === rawStage;
  const headers = new OutgoingHeaders();
  if (!isRaw) headers.add("Nats-Msg-Id", messageIdOf(letter, failedOn, originalId, token));
  // Before the others, some of which the next letter may have to cut.
  headers.add(replaysHeader, String(letter.replays + 1));
  if (isRaw) headers.add(replayHeader, claimText(letter.seq, token));
  for (const [name, value] of letter.headers.entries()) {
    // Headers of the broker and the letter, or set above. An edited payload is JSON, whatever the original was.
    if (ownHeaders.test(name) || (isRaw && firstStepsHeaders.test(name))) continue;
    if (edited === undefined || name.toLowerCase() !== "content-type") headers.add(name, value);
  }
  return { subject: letter.failedOn, payload: withoutMark(edited) ?? letter.payload, headers };
}

/**
 * A failed delivery goes to its destination, with a fresh retry plan, and not into the log: other readers have had the
 * event.
 */
function deliveryOf(
  letter: Letter,
  destination: string,
  id: unknown,
  token: string,
  payload: Uint8Array,
): Outgoing {
  const key = isPositiveInteger(id) ? eventKey(letter.client, sourceOf(letter), id) : undefined;
  if (key === undefined) throw new Unreplayable("It has no event in it that could be delivered.");
  const identity = identityOf(letter.headers);
  return retryMessage({
    destination,
    key,
    subject: letter.failedOn,
    payload,
    sequence: placeInLog(letter),
    attempts: 0,
    due: Date.now(),
    origin: `letter-${letter.seq}-${token}`,
    error: undefined,
    identity: { ...identity, replays: String(letter.replays + 1) },
  });
}

/** The event's sequence in CASINO_EVENTS, where the letter has it. */
function placeInLog({ message }: Letter): number | undefined {
  const [stream, seq] = message.split(":");
  return stream === stageStream(finalStage) && isPositiveInteger(Number(seq)) ? Number(seq) : undefined;
}

/** JSON has no byte order mark, but some editors write one. */
function withoutMark(edited: Uint8Array | undefined): Uint8Array | undefined {
  const hasMark = edited !== undefined && edited[0] === 0xef && edited[1] === 0xbb && edited[2] === 0xbf;
  return hasMark ? edited.subarray(3) : edited;
}

const ownHeaders = /^(nats-|casino-dead-|casino-replays?$)/i;
/** Headers that the first step sets itself and accepts from nobody. */
const firstStepsHeaders = /^casino-(accepted$|rate)/i;

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

/** An edit mends an event; another id or type would make it another event. */
function checkEdit({ stage, type }: EventSubject, originalId: unknown, edited: Uint8Array): void {
  if (isPositiveInteger(originalId) && eventField(edited, "id") !== originalId)
    throw new Unreplayable(`The payload must keep the event's id, ${originalId}.`);
  if (type !== undefined && eventField(edited, "type") !== type)
    throw new Unreplayable(
      `The payload must keep the event's type, "${type}", because it failed in stage ${stage}.`,
    );
}

function messageIdOf(letter: Letter, { client, stage }: EventSubject, id: unknown, token: string): string {
  const key = isPositiveInteger(id) ? eventKey(client, sourceOf(letter), id) : undefined;
  // Without an event in it, only the letter itself identifies it.
  return key === undefined
    ? `${client}:${stage}:replay:${letter.seq}:${token}`
    : replayMessageId(key, stage, letter.seq, token);
}

/** Skips a byte order mark, as the steps do when they read. */
const utf8 = new TextDecoder();

function eventField(payload: Uint8Array, name: string): unknown {
  const event = readJson(utf8.decode(payload));
  return isObject(event) && Object.hasOwn(event, name) ? event[name] : undefined;
}
