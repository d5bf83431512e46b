import type { NatsConnection } from "nats";
import { recordOf, writeDown } from "../dead-letters/removal.ts";
import { LetterStore } from "../dead-letters/store.ts";
import { type PubAck, PublishError } from "../jetstream/pub-ack.ts";
import type { Outgoing } from "../jetstream/publisher.ts";
import { scan } from "../jetstream/scan.ts";
import { OutgoingHeaders } from "../jetstream/wire-headers.ts";
import { fits } from "../messages/dead-letter.ts";
import { type Letter, readHead } from "../messages/letter.ts";
import { deadStream, deadSubject } from "../messages/subjects.ts";
import type { Log } from "../service/log.ts";
import { Unavailable } from "../service/unavailable.ts";
import { names, type Person, withoutEmails, withoutPerson } from "./person.ts";

export interface LetterErasureOptions {
  readonly nc: NatsConnection;
  /** Resolves once the stream holds the message. @throws PublishError */
  readonly publish: (message: Outgoing) => Promise<PubAck>;
  readonly log: Log;
  /** Who asked for it, for log and ledger. */
  readonly by: string;
  readonly signal: AbortSignal;
}

interface ErasedLetters {
  /** Letters rewritten without the person. */
  readonly rewritten: number;
  readonly removed: number;
}

/** The client of messages that carry events of several. */
const nobody = "_";
/**
 * Letters of one request: each may have a megabyte, and a server cuts off a client that has left 64 MB unread, the
 * gateway with all its requests.
 */
const lettersAtOnce = 16;
/** Suffix of a rewritten letter's id. */
const anew = ":erased";

/**
 * Removes a person from the dead letters: letters that name the person are rewritten without it and removed, or only
 * removed where they cannot be read. The ledger is written before a letter goes. After an interruption a second run
 * continues, and rewrites no letter twice.
 * @param from the first sequence to look at
 * @returns what was done, and the sequence from which letters were not read
 * @throws Unavailable, and the signal's reason
 */
export async function eraseLetters(
  person: Person,
  from: number,
  options: LetterErasureOptions,
): Promise<ErasedLetters & { readonly next: number }> {
  const { nc, signal } = options;
  const store = new LetterStore(nc);
  const range = await store.range();
  const found: number[] = [];
  const writtenAnew = new Map<string, number>();
  for (const client of [person.client, nobody])
    for await (const delivery of scan(nc, deadStream, {
      from: Math.max(from, range.from),
      before: range.before,
      filter: deadSubject("*", client),
      headersOnly: false,
      batch: lettersAtOnce,
    })) {
      signal.throwIfAborted();
      const { subject, headers, streamSequence: seq, storedAt, data } = delivery;
      const head = readHead({ seq, subject, headers, storedAt, bytes: data.length });
      if (head.id.endsWith(anew)) writtenAnew.set(head.id, seq);
      if (head.parts.length > 0 || without(person, { ...head, headers, payload: data, isWhole: true }))
        found.push(seq);
    }
  const counts = { rewritten: 0, removed: 0 };
  for (const seq of found) {
    signal.throwIfAborted();
    const letter = await store.read(seq);
    const change = letter && without(person, letter);
    if (change === undefined) continue;
    counts[await replace(change, { person, store, writtenAnew, ...options })]++;
  }
  return { ...counts, next: range.before };
}

/** A letter that names the person, and its payload without it. */
interface Change {
  readonly letter: Letter;
  /** Undefined where it cannot be kept. */
  readonly payload: Uint8Array | undefined;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** @returns undefined for a letter without the person */
function without(person: Person, letter: Letter): Change | undefined {
  const { payload, client, headers } = letter;
  const isTheirs = client === person.client;
  const isNamed = isTheirs && [...headers.entries()].some(([, value]) => names(person, value));
  let text: string;
  try {
    text = utf8.decode(payload);
  } catch {
    const isInside = isTheirs && names(person, Buffer.from(payload).toString());
    return isNamed || isInside ? { letter, payload: isInside ? undefined : payload } : undefined;
  }
  const changed = withoutPerson(text, client, person);
  if (changed === text && !isNamed) return undefined;
  return { letter, payload: changed === undefined ? undefined : Buffer.from(changed) };
}

interface Replacing extends LetterErasureOptions {
  readonly person: Person;
  readonly store: LetterStore;
  /** Rewritten letters: their sequences by id. */
  readonly writtenAnew: ReadonlyMap<string, number>;
}

async function replace({ letter, payload }: Change, options: Replacing): Promise<keyof ErasedLetters> {
  const { person, store, nc, log, by } = options;
  const message = payload === undefined ? undefined : letterAnew(letter, payload, person);
  const isKept = message !== undefined && fits(message, nc.info?.max_payload ?? Number.POSITIVE_INFINITY);
  const storedAs = isKept ? `${deadStream}:${await stored(message, letter, options)}` : undefined;
  await writeDown({ ...recordOf("erased", letter, by), ...(storedAs && { storedAs }) }, options);
  await store.remove(letter, true);
  const { seq, client, step, reason } = letter;
  const outcome = isKept ? "rewritten" : "removed";
  log.info({ seq, client, step, reason, storedAs, by }, `dead letter ${outcome} for an erasure`);
  return outcome;
}

/** @returns the sequence of the rewritten letter, from now or before @throws Unavailable */
async function stored(
  message: Outgoing,
  letter: Letter,
  { writtenAnew, publish }: Replacing,
): Promise<number> {
  const before = writtenAnew.get(idAnew(letter));
  if (before !== undefined) return before;
  try {
    return (await publish(message)).seq;
  } catch (cause) {
    if (!(cause instanceof PublishError)) throw cause;
    throw new Unavailable(`Dead letter ${letter.seq} cannot be written anew: ${cause.message}.`, { cause });
  }
}

const idAnew = ({ id, seq }: Letter): string => `${id || `${deadStream}:${seq}`}${anew}`;

/** Headers that only the broker may set, and where the bytes lay before. */
const left = /^(nats-.*|casino-dead-(parts|size))$/i;

/** The letter with another payload, and a header that says so. */
function letterAnew(letter: Letter, payload: Uint8Array, person: Person): Outgoing {
  // First, because nats-server before 2.11 honours only the first header of that name.
  const headers = new OutgoingHeaders().add("Nats-Msg-Id", idAnew(letter));
  for (const [name, value] of letter.headers.entries())
    if (!left.test(name) && !names(person, name)) headers.add(name, withoutEmails(person, value));
  headers.add("Casino-Dead-Erased", new Date().toISOString());
  return { subject: deadSubject(letter.step, letter.client), payload, headers };
}
