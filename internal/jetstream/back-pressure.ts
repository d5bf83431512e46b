import type { NatsConnection } from "nats";
import type { Log } from "../service/log.ts";
import { lookEvery } from "../service/look-every.ts";
import { undefinedIfMissing } from "./api.ts";
import { lagOf } from "./consumer-state.ts";

/** Share of the log's bytes. A reader further behind than this is about to lose events. */
const mostBehind = 1 / 2;
const everyMs = 1_000;

/**
 * Watches how far a reader of a log is behind, for the step that writes the log. The step pauses while `problem` is
 * set: the queues before it fill up and the door refuses, instead of the log dropping events that the reader has not
 * seen.
 */
export class BackPressure {
  readonly #nc: NatsConnection;
  readonly #stream: string;
  readonly #reader: string;
  readonly #log: Log;
  readonly close: () => void;
  #problem: string | undefined;

  /** @param reader a durable consumer of the stream; without one nothing is held up */
  constructor(nc: NatsConnection, stream: string, reader: string, log: Log, lookEveryMs = everyMs) {
    this.#nc = nc;
    this.#stream = stream;
    this.#reader = reader;
    this.#log = log;
    this.close = lookEvery(lookEveryMs, `how far ${reader} is behind`, () => this.#look(), log);
  }

  /** A sentence while the reader is too far behind, else undefined. */
  get problem(): string | undefined {
    return this.#problem;
  }

  async #look(): Promise<void> {
    const problem = await this.#behind();
    if (problem !== undefined && this.#problem === undefined) this.#log.warn(problem);
    if (problem === undefined && this.#problem !== undefined)
      this.#log.info(`${this.#reader} has caught up: final events are written again`);
    this.#problem = problem;
  }

  async #behind(): Promise<string | undefined> {
    const [stream, reader] = [this.#stream, this.#reader];
    const lag = await lagOf(this.#nc, stream, reader).catch(undefinedIfMissing);
    if (!lag) return undefined;
    const { maxBytes } = lag.stream;
    if (maxBytes === 0 || lag.bytes <= maxBytes * mostBehind) return undefined;
    return `final events wait: ${reader} is ${lag.messages} events behind, about ${lag.bytes} bytes of the ${maxBytes} that ${stream} keeps. Find out what holds it up or start more of it; if none is to run any more: nats consumer rm ${stream} ${reader}`;
  }
}
