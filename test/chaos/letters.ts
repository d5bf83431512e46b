import { JetStreamApiError, type JetStreamManager } from "@nats-io/jetstream";
import { invalidHeader } from "./nats-sender.ts";

const stream = "CASINO_DEAD";
const atOnce = 50;

/** A dead letter, as far as the run's checks need it. */
export interface Letter {
  readonly seq: number;
  readonly client: string;
  /** The mark that an honest sender on NATS gave the message; empty without that header. */
  readonly mark: string;
  readonly source: string;
  readonly accepted: string;
  readonly reason: string;
  readonly payload: string;
  /** Whether the first step set it aside, so that its payload is the producer's. */
  readonly isOriginal: boolean;
}

/** Reads the dead letters, each once. */
export class Letters {
  readonly #jsm: JetStreamManager;
  #read = 0;

  constructor(jsm: JetStreamManager) {
    this.#jsm = jsm;
  }

  /** The letters since the last call. */
  async news(): Promise<readonly Letter[]> {
    const { state } = await this.#jsm.streams.info(stream);
    const letters: Letter[] = [];
    const first = Math.max(this.#read + 1, state.first_seq);
    for (let seq = first; seq <= state.last_seq; seq += atOnce) {
      const seqs = Array.from({ length: Math.min(atOnce, state.last_seq - seq + 1) }, (_, i) => seq + i);
      const read = await Promise.all(seqs.map((each) => this.#letter(each)));
      letters.push(...read.filter((letter) => letter !== undefined));
    }
    this.#read = state.last_seq;
    return letters;
  }

  async #letter(seq: number): Promise<Letter | undefined> {
    try {
      const message = await this.#jsm.streams.getMessage(stream, { seq });
      if (message === null) return undefined;
      const { header, data, subject } = message;
      return {
        seq,
        // `casino.dead.<step>.<client>`
        client: subject.split(".")[3] ?? "",
        mark: header.get(invalidHeader),
        source: header.get("Casino-Source"),
        accepted: header.get("Casino-Accepted"),
        reason: header.get("Casino-Dead-Reason"),
        payload: Buffer.from(data).toString(),
        isOriginal: header.get("Casino-Dead-Step") === "currency",
      };
    } catch (error) {
      if (error instanceof JetStreamApiError && error.code === 10037) return undefined; // not found
      throw error;
    }
  }
}
