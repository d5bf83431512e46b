import { layout } from "../enrichment/pipeline.ts";
import type { StoredMessage } from "../jetstream/stored-message.ts";
import { readStored } from "../jetstream/stored-message.ts";
import { type StreamState, sequencesIn, stateOf } from "../jetstream/stream-state.ts";
import { mostEventsPerMessage } from "../messages/accepted.ts";
import { mostEventsPerBundle } from "../messages/bundle.ts";
import { mediaTypeOf } from "../messages/enclosed.ts";
import { splitRaw } from "../messages/raw-message.ts";
import { apartStage, apartSubject, rawStage, stageFilter, stageStream } from "../messages/subjects.ts";
import type { Reading } from "./reading.ts";
import { waitingIn } from "./waiting.ts";

/** A queue with more messages or bytes than this is not read: each message is a request. */
const mostWaiting = 20_000;
const mostBytes = 256 * 2 ** 20;
/** With more than this many messages gone in the middle of a queue, the broker's list of them would be too long. */
const mostGone = 500_000;
/** How many messages of the first queue are read; the others are assumed to carry as many events on average. */
const looks = 100;

export interface Queues {
  readonly states: readonly StreamState[];
  /** Most events that may be in queues too long to be read. */
  readonly unread: number;
  /** Events in a message of the first queue, on average. */
  readonly perMessage: number;
}

/**
 * Reads the queues in the order in which events pass them; a step's events in CASINO_APART come after its own queue.
 * @throws Unavailable
 */
export async function readQueues(reading: Reading): Promise<Queues> {
  const { nc, reconciliation } = reading;
  const states: StreamState[] = [];
  let unread = 0;
  let perMessage = 1;
  let apart: StreamState | undefined;
  for (const { name, takesFrom } of layout) {
    const state = await stateOf(nc, stageStream(takesFrom));
    states.push(state);
    if (takesFrom === rawStage) {
      const first = await readFirst(reading, state);
      unread += first.unread;
      perMessage = first.perMessage;
    } else if (isReadable(state)) {
      for await (const message of waitingIn(nc, state.stream, stageFilter(takesFrom), state))
        reconciliation.waiting(message);
    } else unread += state.messages * mostEventsPerBundle;
    apart = await stateOf(nc, stageStream(apartStage));
    if (isReadable(apart))
      for await (const message of waitingIn(nc, apart.stream, apartSubject(name, "*"), apart))
        reconciliation.waiting(message);
    else unread += apart.messages;
  }
  return { states: apart === undefined ? states : [...states, apart], unread, perMessage };
}

const isReadable = ({ messages, bytes }: StreamState): boolean =>
  messages <= mostWaiting && bytes <= mostBytes;

/**
 * For the first queue the sequences suffice, because they are the numbers. Only messages between deleted ones need a look
 * each.
 */
async function readFirst(
  { nc, reconciliation }: Reading,
  state: StreamState,
): Promise<Pick<Queues, "unread" | "perMessage">> {
  let [looked, events] = [0, 0];
  const add = (message: Pick<StoredMessage, "seq" | "headers" | "data">): void => {
    const count = eventsIn(message);
    looked++;
    events += count;
    reconciliation.waitingAtFirst(message.seq, count);
  };
  if (state.gone <= mostGone) {
    const every = Math.ceil(state.messages / looks);
    let index = 0;
    for await (const seq of sequencesIn(nc, state.stream)) {
      reconciliation.waitingAtFirst(seq);
      if (index++ % every > 0) continue;
      const message = await readStored(nc, state.stream, seq);
      if (message !== undefined) add(message);
    }
  } else if (isReadable(state))
    for await (const message of waitingIn(nc, state.stream, stageFilter(rawStage), state)) add(message);
  else return { unread: state.messages * mostEventsPerMessage, perMessage: 1 };
  return { unread: 0, perMessage: looked === 0 ? 1 : events / looked };
}

/** How many events a raw message carries; an unreadable one becomes one dead letter. */
function eventsIn({ headers, data }: Pick<StoredMessage, "headers" | "data">): number {
  const events = splitRaw(data, mediaTypeOf(headers.get("Content-Type")));
  return "reason" in events ? 1 : events.length;
}
