import { type Envelope, newTraceparent, writeEnvelope } from "../actor/envelope.ts";
import type { CustomTypes, Decoded } from "../casino/decode.ts";
import { encodeEvent } from "../casino/encode.ts";
import type { CasinoEvent } from "../casino/event.ts";
import { type FieldError, fieldError } from "../casino/field-error.ts";
import { type PubAck, PublishError } from "../jetstream/pub-ack.ts";
import { rawStage, rawSubject } from "../jetstream/subjects.ts";
import { maxRawBytes } from "../jetstream/topology.ts";
import type { Outbox } from "./outbox.ts";

/** An event that was refused: its place in the request, from 0, and why. */
export interface Rejected {
  readonly index: number;
  readonly errors: readonly FieldError[];
}

/** What has become of the events of a request. Together they are as many as it held, unless something failed. */
export interface Counts {
  /** Stored now. */
  readonly accepted: number;
  /** Stored before, by an event of the same client, source and id. */
  readonly duplicates: number;
  /** The first of those that were refused. */
  readonly rejected: readonly Rejected[];
  /** How many were refused; present when `rejected` does not name all of them. */
  readonly rejected_total?: number;
}

/** Why not every event could be taken, through no fault of theirs. */
export interface Failure {
  /** The beginning of a sentence. */
  readonly because: string;
  readonly cause?: unknown;
}

/** Whose events these are. */
export interface Sender {
  readonly client: string;
  readonly source: string;
  /** Continued by every event; without one each event starts a trace of its own. */
  readonly traceparent?: string | undefined;
}

/** Reads an event, given the custom types of the moment. */
export type ReadEvent = (types: CustomTypes) => Decoded;

/** The custom types that clients have registered. */
export interface EventTypes {
  /** Reads an event with the client's types; takes a moment when they had to be looked up. Rejects with `Unavailable`. */
  decode(client: string, read: ReadEvent): Decoded | Promise<Decoded>;
}

export interface SubmissionOptions {
  readonly outbox: Outbox;
  readonly types: EventTypes;
  readonly sender: Sender;
  /** How long to wait for the broker, in ms: for room, and at the end for what is still unanswered. */
  readonly patienceMs: number;
}

const mostRejected = 1_000;
const lastMomentMs = 500;
const tooLarge = [fieldError("", `must be at most ${maxRawBytes} bytes as JSON, headers included`)];

/** The events of one request on their way into the stream. */
export class Submission {
  readonly #options: SubmissionOptions;
  readonly #rejected: Rejected[] = [];
  #undecided: Promise<void>[] = [];
  #rejectedTotal = 0;
  #accepted = 0;
  #duplicates = 0;
  #unanswered = 0;
  #failure: Failure | undefined;
  #onAnswered: () => void = () => undefined;

  constructor(options: SubmissionOptions) {
    this.#options = options;
  }

  /** Once there is one, more events need not be tried. */
  get failure(): Failure | undefined {
    return this.#failure;
  }

  get counts(): Counts {
    const rejected = this.#rejected.toSorted((a, b) => a.index - b.index);
    return {
      accepted: this.#accepted,
      duplicates: this.#duplicates,
      rejected,
      ...(this.#rejectedTotal > rejected.length ? { rejected_total: this.#rejectedTotal } : {}),
    };
  }

  /** Whether `add` may be called at once; if not, await `room` first. */
  get hasRoom(): boolean {
    return this.#options.outbox.hasRoom;
  }

  /** Resolves once there is room, or with a `failure` when there is none for too long. */
  async room(): Promise<void> {
    const { outbox, patienceMs } = this.#options;
    if (!(await outbox.room(AbortSignal.timeout(patienceMs))))
      this.#failure ??= { because: "The broker does not keep up" };
  }

  /** Sends an event if it is valid, else notes what is wrong. */
  add(index: number, read: ReadEvent): void {
    const { types, sender } = this.#options;
    try {
      const decoded = types.decode(sender.client, read);
      if (!(decoded instanceof Promise)) this.#take(index, decoded);
      else
        this.#undecided.push(
          decoded.then((result) => this.#take(index, result)).catch((err) => this.#fail(err)),
        );
    } catch (err) {
      this.#fail(err);
    }
  }

  /** Notes an event that is not worth reading. */
  addTooLarge(index: number): void {
    this.#reject(index, tooLarge);
  }

  /** Resolves when it is known of every event added so far whether it is valid: to be awaited from time to time. */
  async decided(): Promise<void> {
    if (this.#undecided.length === 0) return;
    await Promise.all(this.#undecided);
    this.#undecided = [];
  }

  /** Resolves when every event sent is answered, or with a `failure` when the broker takes too long. */
  async answered(): Promise<void> {
    await this.decided();
    if (this.#unanswered === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onAnswered = resolve;
    // What the broker has answered already is known in a moment; the rest it may not even have.
    const patienceMs = this.#failure === undefined ? this.#options.patienceMs : lastMomentMs;
    const timer = setTimeout(() => {
      this.#failure ??= { because: "The broker does not answer" };
      resolve();
    }, patienceMs);
    await promise;
    clearTimeout(timer);
  }

  #take(index: number, decoded: Decoded): void {
    if (decoded.ok) this.#send(index, decoded.event);
    else this.#reject(index, decoded.errors);
  }

  #reject(index: number, errors: readonly FieldError[]): void {
    this.#rejectedTotal++;
    if (this.#rejected.length < mostRejected) this.#rejected.push({ index, errors });
  }

  #fail(cause: unknown): void {
    this.#failure ??= { because: "The registered event types cannot be read", cause };
  }

  #send(index: number, event: CasinoEvent): void {
    const payload = encodeEvent(event);
    if (payload.length > maxRawBytes) {
      this.#reject(index, tooLarge);
      return;
    }
    const { client, source, traceparent = newTraceparent() } = this.#options.sender;
    const envelope: Envelope = { client, source, traceparent };
    const headers = writeEnvelope(envelope, event.id, rawStage);
    this.#unanswered++;
    this.#options.outbox.send({ subject: rawSubject(client), payload, headers }, (outcome) => {
      this.#unanswered--;
      this.#settle(index, outcome);
      if (this.#unanswered === 0) this.#onAnswered();
    });
  }

  #settle(index: number, outcome: PubAck | PublishError): void {
    if (!(outcome instanceof PublishError)) {
      if (outcome.duplicate) this.#duplicates++;
      else this.#accepted++;
    } else if (outcome.isTooLarge) this.#reject(index, tooLarge);
    else {
      const because = outcome.isStreamFull ? "The queue of events is full" : "The broker is away";
      this.#failure ??= { because, cause: outcome };
    }
  }
}
