import type { NatsConnection } from "nats";
import { type PubAck, PublishError } from "../jetstream/pub-ack.ts";
import type { OnSettled, Outgoing, Publisher } from "../jetstream/publisher.ts";
import { readStored } from "../jetstream/stored-message.ts";
import {
  type DeadMessage,
  type DeadReason,
  deadLetterOf,
  fits,
  type LetterTerms,
  letterId,
  partsOf,
} from "../messages/dead-letter.ts";
import { lastRecordOf } from "../messages/ledger.ts";
import { ReplayClaims } from "../messages/replay-claim.ts";
import { deadStream } from "../messages/subjects.ts";
import { reasonOf } from "../service/log.ts";

/** Bytes of a header that a part's id may take. */
const partHeaderBytes = 512;
const leastPartBytes = 1024;

/** Why a message is set aside. */
export interface SettingAside {
  /** The step, as named in the letter. */
  readonly step: string;
  readonly client: string;
  readonly reason: DeadReason;
  /** One sentence. */
  readonly because: string;
}

/** Writes the dead letter of any message that a stream could hold. */
export class LetterWriter {
  readonly #nc: NatsConnection;
  readonly #publisher: Publisher;
  readonly #claims: ReplayClaims;

  constructor(nc: NatsConnection, publisher: Publisher, claims = new ReplayClaims(nc)) {
    this.#nc = nc;
    this.#publisher = publisher;
    this.#claims = claims;
  }

  /**
   * Resolves once CASINO_DEAD holds the letter, or held it and the ledger knows what became of it. Harmless to
   * repeat: the letter is stored once.
   * @throws PublishError, with `isTooLarge` only where the stream does not even take a kilobyte; Unavailable
   */
  async write(message: DeadMessage, why: SettingAside): Promise<PubAck> {
    const replays = await this.#claims.replaysOf(message);
    for (let again = ""; ; ) {
      const ack = await this.#store(message, why, { replays, again });
      const id = letterId(message, why.step, replays) + again;
      if (!ack.duplicate || (await this.#isKnown(ack.seq, id))) return ack;
      // Somebody deleted the letter: the broker still remembers its id and would store nothing under it.
      again = `:${ack.seq}`;
    }
  }

  /** As `write`, and reports the result once: one attempt of `UntilStored`. */
  attempt(message: DeadMessage, why: SettingAside, onSettled: OnSettled): void {
    this.write(message, why).catch(refusalOf).then(onSettled);
  }

  async #store(message: DeadMessage, why: SettingAside, terms: LetterTerms): Promise<PubAck> {
    const letter = this.#letterOf(message, why, terms);
    if (fits(letter, this.#maxBytes))
      try {
        return await this.#publisher.publish(letter);
      } catch (err) {
        if (!(err instanceof PublishError && err.isTooLarge)) throw err;
      }
    const id = letterId(message, why.step, terms.replays) + (terms.again ?? "");
    const parts = await this.#storeParts(letter, id, message.data);
    return this.#publisher.publish(this.#letterOf(message, why, { ...terms, parts }));
  }

  /** @returns the sequences of the parts */
  async #storeParts(letter: Outgoing, id: string, data: Uint8Array): Promise<readonly number[]> {
    // The stream may have a limit below the server's: then cut in halves.
    for (let size = Math.max(leastPartBytes, this.#maxBytes - partHeaderBytes); ; size = Math.floor(size / 2))
      try {
        const parts = [...partsOf(letter, `${id}:${size}`, data, size)];
        const acks = await Promise.all(parts.map((part) => this.#publisher.publish(part)));
        return acks.map(({ seq }) => seq);
      } catch (err) {
        if (!(err instanceof PublishError && err.isTooLarge) || size / 2 < leastPartBytes) throw err;
      }
  }

  #letterOf(message: DeadMessage, { step, client, reason, because }: SettingAside, terms: LetterTerms) {
    return deadLetterOf(message, step, client, reason, because, { ...terms, maxBytes: this.#maxBytes });
  }

  get #maxBytes(): number {
    return this.#nc.info?.max_payload ?? Number.POSITIVE_INFINITY;
  }

  /** Whether the letter that the broker reports as a duplicate exists, or ended as it should. */
  async #isKnown(seq: number, id: string): Promise<boolean> {
    const stored = await readStored(this.#nc, deadStream, seq);
    if (stored?.headers.get("Nats-Msg-Id") === id) return true;
    const { record } = await lastRecordOf(this.#nc, seq);
    return record !== undefined && record.kind !== "replaying" && record.id === id;
  }
}

/** Why a letter could not be written, whatever part of the broker refused. */
function refusalOf(err: unknown): PublishError {
  if (err instanceof PublishError) return err;
  return new PublishError(reasonOf(err), 0, { cause: err });
}
