import type { NatsConnection } from "nats";
import { askBroker, isObject } from "../jetstream/api.ts";
import { type Range, scan } from "../jetstream/scan.ts";
import { deleteStored, readStored } from "../jetstream/stored-message.ts";
import { deadStream } from "../jetstream/subjects.ts";
import { type LetterFilter, matches, subjectOf } from "./filter.ts";
import { type Letter, type LetterHead, readHead } from "./letter.ts";

/** The letters in CASINO_DEAD. Everything here throws `Unavailable` while the broker is away. */
export class LetterStore {
  readonly #nc: NatsConnection;

  constructor(nc: NatsConnection) {
    this.#nc = nc;
  }

  /** All that is there now; what comes later is outside of it. */
  async range(): Promise<Range> {
    const { state } = await askBroker(this.#nc, `STREAM.INFO.${deadStream}`);
    const { first_seq, last_seq } = isObject(state) ? state : {};
    // An empty stream has its first sequence after its last, or, where nothing was ever in it, at 0.
    return { from: Math.max(1, Number(first_seq)), before: Number(last_seq) + 1 };
  }

  /** @param seq an integer from 1 on; undefined when there is no letter of that number */
  async read(seq: number): Promise<Letter | undefined> {
    const stored = await readStored(this.#nc, deadStream, seq);
    if (stored === undefined) return undefined;
    const { data: payload, ...message } = stored;
    return { ...readHead({ ...message, seq, bytes: payload.length }), headers: stored.headers, payload };
  }

  /** @returns false when it was gone already */
  remove(seq: number): Promise<boolean> {
    return deleteStored(this.#nc, deadStream, seq);
  }

  /** The heads of the letters in a range, in order. The broker sends no payloads, and no more than was asked for. */
  async *scan(filter: LetterFilter, range: Range): AsyncGenerator<LetterHead> {
    const options = { ...range, filter: subjectOf(filter), headersOnly: true };
    for await (const { headers, subject, streamSequence: seq, storedAt } of scan(
      this.#nc,
      deadStream,
      options,
    )) {
      const bytes = Number(headers.get("Nats-Msg-Size"));
      const head = readHead({ seq, subject, headers, storedAt, bytes });
      if (matches(head, filter)) yield head;
    }
  }
}
