import type { NatsConnection } from "nats";
import { readHead } from "../dead-letters/letter.ts";
import { layout } from "../enrichment/pipeline.ts";
import type { Delivery } from "../jetstream/delivery.ts";
import { type ScanOptions, scan } from "../jetstream/scan.ts";
import { deadStream, ledgerStream, rawStage, stageFilter, stageStream } from "../jetstream/subjects.ts";
import { readRecord } from "../ledger/record.ts";
import type { Accounts } from "./accounts.ts";
import type { ArchiveLookup } from "./archive.ts";
import { readFinalEvent } from "./final-event.ts";
import { Names } from "./names.ts";
import { type StreamState, sequencesIn, stateOf } from "./stream-state.ts";
import { waitingIn } from "./waiting.ts";

// What is read for a proof, each part into the accounts. The order is the caller's: down the pipeline.

/** A queue this long is not read message by message, each of which is a request. */
const mostWaiting = 20_000;
/** Where so many between the first and the last of a queue are gone, the broker's list of them would be too long. */
const mostGone = 500_000;
/** How long a server that is read from may be behind its leader. */
const behindMs = 5_000;

export interface Reading {
  readonly nc: NatsConnection;
  readonly accounts: Accounts;
  /** How many of a kind are named. */
  readonly most: number;
  /** Only what was stored from then on, in ms since the epoch; undefined = everything. */
  readonly since?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What was read of the queues. */
export interface Queues {
  readonly states: readonly StreamState[];
  /** Messages in queues too long to be read one by one. */
  readonly unread: number;
}

/** Reads the queues in the order in which events pass them. @throws Unavailable */
export async function readQueues({ nc, accounts }: Reading): Promise<Queues> {
  const states: StreamState[] = [];
  let unread = 0;
  for (const { takesFrom } of layout) {
    const state = await stateOf(nc, stageStream(takesFrom));
    states.push(state);
    const isFirst = takesFrom === rawStage;
    if (state.messages === 0) continue;
    if (isFirst && state.gone <= mostGone) {
      for await (const seq of sequencesIn(nc, state.stream)) accounts.waitingAtFirst(seq);
    } else if (state.messages <= mostWaiting) {
      for await (const message of waitingIn(nc, state.stream, stageFilter(takesFrom), state))
        if (isFirst) accounts.waitingAtFirst(message.seq);
        else accounts.waiting(takesFrom, message);
    } else unread += state.messages;
  }
  return { states, unread };
}

/** What was read of CASINO_EVENTS. */
export interface Finals {
  readonly messages: number;
  /** Different events, by client. */
  readonly distinct: ReadonlyMap<string, number>;
  /** Sequences that are not there. */
  readonly holes: Names;
}

/**
 * Reads CASINO_EVENTS, and looks its events up in Postgres.
 * @param isWhole whether it must still have everything it ever stored
 * @throws Unavailable
 */
export async function readFinals(
  reading: Reading,
  log: StreamState,
  lookup: ArchiveLookup,
  isWhole: boolean,
): Promise<Finals> {
  const { nc, accounts, most, since } = reading;
  const distinct = new Map<string, number>();
  const holes = new Names(most);
  let messages = 0;
  // Where the first ones go of age or are left out, the first that comes is the first that counts.
  let expected = isWhole && since === undefined ? 1 : 0;
  for await (const delivery of messagesOf(reading, log, { headersOnly: true, batch: 2_000 })) {
    const { seq, storedAt, key, ...event } = await readFinalEvent(nc, delivery);
    messages++;
    if (expected > 0 && seq > expected) addHole(holes, log.stream, expected, seq);
    expected = seq + 1;
    if (!accounts.final({ seq, storedAt, key, ...event }) || key === undefined) continue;
    distinct.set(key.client, (distinct.get(key.client) ?? 0) + 1);
    await lookup.add(key, seq, storedAt);
  }
  if (expected > 0 && expected <= log.lastSeq) addHole(holes, log.stream, expected, log.lastSeq + 1);
  await lookup.finish();
  return { messages, distinct, holes };
}

function addHole(holes: Names, stream: string, from: number, before: number): void {
  const single = before - from === 1;
  holes.add(single ? `${stream} ${from}` : `${stream} ${from} to ${before - 1}`);
  holes.count += before - from - 1;
}

/** Reads the dead letters, and after them the ledger, in which those that went meanwhile were written. @throws Unavailable */
export async function readLetters(reading: Reading, accepting: StreamState): Promise<void> {
  const { nc, accounts } = reading;
  // What is older tells of another stream of that name, which has given out the same numbers.
  const isOurs = (storedAt: number) => storedAt >= accepting.created;
  const letters = await stateOf(nc, deadStream);
  for await (const delivery of messagesOf(reading, letters, { headersOnly: true })) {
    const { headers, subject, streamSequence: seq, storedAt } = delivery;
    if (isOurs(storedAt)) accounts.letter(readHead({ seq, subject, headers, storedAt, bytes: 0 }));
  }
  const ledger = await stateOf(nc, ledgerStream);
  for await (const delivery of messagesOf(reading, ledger, { headersOnly: false, batch: 100 })) {
    const { subject, data, streamSequence: seq, storedAt } = delivery;
    const record = isOurs(storedAt) ? readRecord(subject, data) : undefined;
    if (record !== undefined) accounts.record(record, seq);
  }
}

/** What a stream holds at this moment, from `since` on. */
async function* messagesOf(
  { nc, since, signal }: Reading,
  { stream, firstSeq, lastSeq, replicas }: StreamState,
  options: Pick<ScanOptions, "headersOnly" | "batch">,
): AsyncGenerator<Delivery> {
  const range = { from: Math.max(1, firstSeq), before: lastSeq + 1, since };
  const patience = { behindMs: replicas > 1 ? behindMs : 0 };
  for await (const delivery of scan(nc, stream, { ...range, ...patience, ...options })) {
    signal?.throwIfAborted();
    yield delivery;
  }
}
