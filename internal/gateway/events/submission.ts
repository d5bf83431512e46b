import { notAhead } from "../../casino/ahead.ts";
import { type CustomTypes, type Decoded, decodeRaw } from "../../casino/decode.ts";
import { eventText } from "../../casino/encode.ts";
import { type CasinoEvent, isMoney } from "../../casino/event.ts";
import { fieldError } from "../../casino/field-error.ts";
import { currencyProblem } from "../../casino/money.ts";
import { AnswerCounts } from "../../http/answer-counts.ts";
import type { LineSink } from "../../http/ndjson.ts";
import { type PubAck, PublishError } from "../../jetstream/pub-ack.ts";
import type { RawSender } from "../../messages/raw-message.ts";
import { rawStage, stageStream } from "../../messages/subjects.ts";
import type { EventBatcher } from "./event-batcher.ts";

/** Why the remaining events could not be taken, through no fault of theirs. */
interface Failure {
  /** How the sentence begins. */
  readonly because: string;
  readonly cause?: unknown;
}

/** Reads an event, given the custom types registered now. */
export type ReadEvent = (types: CustomTypes) => Decoded;

/** The custom types that clients have registered. */
export interface EventTypes {
  /** Reads an event with the client's types; asynchronous when they have to be loaded. Rejects with `Unavailable`. */
  decode(client: string, read: ReadEvent): Decoded | Promise<Decoded>;
}

interface SubmissionOptions {
  readonly batcher: EventBatcher;
  readonly types: EventTypes;
  readonly sender: RawSender;
  /** How long to wait for the broker, in ms: for room, and at the end for outstanding answers. */
  readonly patienceMs: number;
  /** How far ahead of the clock an event may be dated, in ms. */
  readonly maxAheadMs: number;
}

const lastMomentMs = 500;

/** The events of one request on their way into the stream. */
export class Submission implements LineSink {
  readonly #options: SubmissionOptions;
  readonly counted = new AnswerCounts();
  /** Everything read since the first event that is still undecided: all of it is handled in order. */
  #undecided: { readonly index: number; readonly decoded: Decoded | Promise<Decoded> }[] = [];
  #unanswered = 0;
  #failure: Failure | undefined;
  #onAnswered: () => void = () => undefined;

  constructor(options: SubmissionOptions) {
    this.#options = options;
  }

  /** Once it is set, adding more events is pointless. */
  get failure(): Failure | undefined {
    return this.#failure;
  }

  /** Whether `add` may be called now; if not, await `room` first. */
  get hasRoom(): boolean {
    return this.#options.batcher.hasRoom;
  }

  /** Resolves once there is room, or with a `failure` when that takes too long. */
  async room(): Promise<void> {
    const { batcher, patienceMs } = this.#options;
    if (!(await batcher.room(AbortSignal.timeout(patienceMs))))
      this.#failure ??= { because: "The broker does not keep up" };
  }

  /** Sends an event if it is valid, else notes what is wrong. */
  add(index: number, read: ReadEvent): void {
    const { types, sender } = this.#options;
    try {
      const decoded = types.decode(sender.client, read);
      if (!(decoded instanceof Promise) && this.#undecided.length === 0) this.#take(index, decoded);
      else this.#undecided.push({ index, decoded });
      // It is decided later, in order.
      if (decoded instanceof Promise) decoded.catch(() => undefined);
    } catch (err) {
      this.#fail(err);
    }
  }

  addLine(index: number, line: Uint8Array): void {
    this.add(index, (types) => decodeRaw(line, types));
  }

  /** Notes an event that is not even read. */
  addTooLarge(index: number): void {
    this.#rejectTooLarge(index);
  }

  /** Resolves when every event added so far is known to be valid or not; await it from time to time. */
  async decided(): Promise<void> {
    if (this.#undecided.length === 0) return;
    const undecided = this.#undecided;
    const results = await Promise.allSettled(undecided.map(({ decoded }) => decoded));
    this.#undecided = [];
    for (const [at, { index }] of undecided.entries()) {
      const result = results[at];
      if (result?.status === "fulfilled") this.#take(index, result.value);
      else this.#fail(result?.reason);
    }
  }

  /** Resolves when every event sent is answered, or with a `failure` when the broker takes too long. */
  async answered(): Promise<void> {
    await this.decided();
    if (this.#unanswered === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onAnswered = resolve;
    // Answers that have arrived are processed within a moment; the broker may not even have received the rest.
    const patienceMs = this.#failure === undefined ? this.#options.patienceMs : lastMomentMs;
    const timer = setTimeout(() => {
      this.#failure ??= { because: "The broker does not answer" };
      resolve();
    }, patienceMs);
    await promise;
    clearTimeout(timer);
  }

  #take(index: number, decoded: Decoded): void {
    const judged = notAhead(decoded, Date.now(), this.#options.maxAheadMs);
    if (!judged.ok) {
      this.counted.reject(index, judged.errors);
      return;
    }
    const { event } = judged;
    const problem = isMoney(event) ? currencyProblem(event.currency, event.created_at) : undefined;
    if (problem === undefined) this.#send(index, event);
    else this.counted.reject(index, [fieldError("/currency", problem)]);
  }

  #rejectTooLarge(index: number): void {
    const { maxMessageBytes } = this.#options.batcher;
    this.counted.reject(index, [
      fieldError("", `must be at most ${maxMessageBytes} bytes as JSON, headers included`),
    ]);
  }

  #fail(cause: unknown): void {
    this.#failure ??= { because: "The registered event types cannot be read", cause };
  }

  #send(index: number, event: CasinoEvent): void {
    const { batcher, sender } = this.#options;
    const text = eventText(event);
    if (Buffer.byteLength(text) > batcher.maxMessageBytes) {
      this.#rejectTooLarge(index);
      return;
    }
    this.#unanswered++;
    batcher.add(sender, text, (outcome) => {
      this.#unanswered--;
      this.#settle(index, outcome);
      if (this.#unanswered === 0) this.#onAnswered();
    });
  }

  #settle(index: number, outcome: PubAck | PublishError): void {
    if (!(outcome instanceof PublishError)) {
      this.counted.accepted++;
    } else if (outcome.isTooLarge) this.#rejectTooLarge(index);
    else {
      this.#failure ??= { because: whyRefused(outcome), cause: outcome };
    }
  }
}

function whyRefused(outcome: PublishError): string {
  if (outcome.isStreamFull) return "The queue of events is full";
  if (outcome.isStoreBroken) return `The stream ${stageStream(rawStage)} cannot be written to`;
  // A missing stream is recreated within seconds and a lost leader is replaced: they look the same here.
  if (outcome.isStreamMissing) return `The stream ${stageStream(rawStage)} is missing or has no leader`;
  return "The broker is away";
}
