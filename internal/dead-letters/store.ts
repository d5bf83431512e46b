import type { NatsConnection } from "nats";
import { type Range, scan } from "../jetstream/scan.ts";
import { deleteStored, readStored } from "../jetstream/stored-message.ts";
import { stateOf } from "../jetstream/stream-state.ts";
import { type LastRecord, lastRecordOf } from "../messages/ledger.ts";
import { type Letter, type LetterHead, readHead } from "../messages/letter.ts";
import { deadStream, isPartSubject } from "../messages/subjects.ts";
import { type LetterFilter, matches, subjectOf } from "./filter.ts";

/** The letters in CASINO_DEAD. Everything here throws `Unavailable` while the broker is away. */
export class LetterStore {
  readonly #nc: NatsConnection;

  constructor(nc: NatsConnection) {
    this.#nc = nc;
  }

  /** All letters that exist now, without later ones. */
  async range(): Promise<Range> {
    const { firstSeq, lastSeq } = await stateOf(this.#nc, deadStream);
    // An empty stream has its first sequence after its last, or 0 if it never held anything.
    return { from: Math.max(1, firstSeq), before: lastSeq + 1 };
  }

  /** @param seq an integer from 1 on; undefined when there is no letter of that number */
  async read(seq: number): Promise<Letter | undefined> {
    const stored = await readStored(this.#nc, deadStream, seq);
    if (stored === undefined) return undefined;
    const { data, headers } = stored;
    const head = readHead({ ...stored, bytes: data.length });
    if (head.parts.length === 0) return { ...head, headers, payload: data, isWhole: true };
    const parts = await Promise.all(head.parts.map((part) => readStored(this.#nc, deadStream, part)));
    const payload = Buffer.concat(parts.flatMap((part) => (part === undefined ? [] : [part.data])));
    return { ...head, headers, payload, isWhole: payload.length === head.bytes };
  }

  /**
   * Removes a letter and its separate parts.
   * @param overwrite also overwrites its bytes on the server's disk
   * @returns false when it was already gone
   */
  async remove({ seq, parts }: Pick<LetterHead, "seq" | "parts">, overwrite = false): Promise<boolean> {
    const removed = await deleteStored(this.#nc, deadStream, seq, overwrite);
    await Promise.all(parts.map((part) => deleteStored(this.#nc, deadStream, part, overwrite)));
    return removed;
  }

  /** The ledger's last record of this very letter, and the sequence of the last record of its number. */
  async lastRecord({ seq, id, storedAt }: LetterHead): Promise<LastRecord> {
    const last = await lastRecordOf(this.#nc, seq);
    return last.record?.id === id && last.storedAt >= storedAt ? last : { ...last, record: undefined };
  }

  /** The heads of the letters in a range, in order. The broker sends no payloads, and no more than requested. */
  async *scan(filter: LetterFilter, range: Range): AsyncGenerator<LetterHead> {
    const options = { ...range, filter: subjectOf(filter), headersOnly: true };
    for await (const { headers, subject, streamSequence: seq, storedAt } of scan(
      this.#nc,
      deadStream,
      options,
    )) {
      if (isPartSubject(subject)) continue;
      const bytes = Number(headers.get("Nats-Msg-Size"));
      const head = readHead({ seq, subject, headers, storedAt, bytes });
      if (matches(head, filter)) yield head;
    }
  }
}
