import type { NatsConnection } from "nats";
import type { Delivery } from "../jetstream/delivery.ts";
import { type ScanOptions, scan } from "../jetstream/scan.ts";
import { readStored } from "../jetstream/stored-message.ts";
import { type StreamState, stateOf } from "../jetstream/stream-state.ts";
import { readCopies } from "../messages/copies.ts";
import { keyOfBody, readFinalHead } from "../messages/final-event.ts";
import { readRecord } from "../messages/ledger.ts";
import { readHead } from "../messages/letter.ts";
import { copiesStream, deadStream, isPartSubject, ledgerStream } from "../messages/subjects.ts";
import type { ArchiveLookup } from "./archive.ts";
import { Names } from "./names.ts";
import type { Reconciliation } from "./reconciliation.ts";

// Reads the streams that keep their messages into the reconciliation. The caller's order is down the pipeline.

/** How long the server that is read from may be behind its leader. */
const behindMs = 5_000;

export interface Reading {
  readonly nc: NatsConnection;
  readonly reconciliation: Reconciliation;
  /** How many of a kind are named. */
  readonly most: number;
  /** Only what was stored from then on, in ms since the epoch; undefined = everything. */
  readonly since?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What was read of CASINO_EVENTS. */
export interface Finals {
  readonly messages: number;
  /** Different events, by client. */
  readonly distinct: ReadonlyMap<string, number>;
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
  const { nc, reconciliation, most, since } = reading;
  const distinct = new Map<string, number>();
  const holes = new Names(most);
  let messages = 0;
  // Where the first messages expire or are left out, the first one met counts.
  let expected = isWhole && since === undefined ? 1 : 0;
  for await (const delivery of messagesOf(reading, log, { headersOnly: true, batch: 2_000 })) {
    const { subject, headers, streamSequence: seq, storedAt } = delivery;
    const head = readFinalHead(subject, headers);
    // If somebody else wrote the headers, the body decides. It may have just expired.
    const stored = head.key === undefined ? await readStored(nc, log.stream, seq) : undefined;
    const key = stored === undefined ? head.key : keyOfBody(subject, headers, stored.data);
    messages++;
    if (expected > 0 && seq > expected) addHole(holes, log.stream, expected, seq);
    expected = seq + 1;
    if (!reconciliation.final({ ...head, seq, key }) || key === undefined) continue;
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

/** Reads the dead letters, then the ledger, which records letters that went meanwhile, and the copies. @throws Unavailable */
export async function readLetters(reading: Reading, accepting: StreamState): Promise<void> {
  const { nc, reconciliation } = reading;
  // Older records are about an earlier stream of that name, which gave out the same numbers.
  const isOurs = (storedAt: number) => storedAt >= accepting.created;
  const letters = await stateOf(nc, deadStream);
  for await (const delivery of messagesOf(reading, letters, { headersOnly: true })) {
    const { headers, subject, streamSequence: seq, storedAt } = delivery;
    if (isPartSubject(subject)) reconciliation.part(seq);
    else if (isOurs(storedAt)) reconciliation.letter(readHead({ seq, subject, headers, storedAt, bytes: 0 }));
  }
  const ledger = await stateOf(nc, ledgerStream);
  for await (const delivery of messagesOf(reading, ledger, { headersOnly: false, batch: 100 })) {
    const { subject, data, streamSequence: seq, storedAt } = delivery;
    const record = isOurs(storedAt) ? readRecord(subject, data) : undefined;
    if (record !== undefined) reconciliation.record(record, seq);
  }
  const copies = await stateOf(nc, copiesStream);
  for await (const { data, storedAt } of messagesOf(reading, copies, { headersOnly: false, batch: 100 }))
    if (isOurs(storedAt)) for (const copy of readCopies(data)) reconciliation.copy(copy);
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
