import { setTimeout as sleep } from "node:timers/promises";
import {
  type JsMsg,
  jetstream,
  type OrderedConsumerOptions,
  type StreamInfo,
  type StreamState,
} from "@nats-io/jetstream";
import type { NatsConnection } from "nats";
import { hasCode, streamNotFound } from "../jetstream/api-error.ts";
import type { StreamKeeper } from "../jetstream/stream-keeper.ts";
import { ReceivedHeaders } from "../jetstream/wire-headers.ts";
import { acceptedHeader, parseAccepted } from "../messages/accepted.ts";
import { readFinalEvent } from "../messages/final-event.ts";
import { finalStage, stageStream } from "../messages/subjects.ts";
import { type Log, reasonOf } from "../service/log.ts";
import type { Fold } from "./fold.ts";
import { LogSession } from "./log-session.ts";
import { watchRaw } from "./watch-raw.ts";

const streamName = stageStream(finalStage);
const retryMs = 250;
interface ReplayOptions {
  readonly nc: NatsConnection;
  readonly fold: Fold;
  readonly log: Log;
  /** `on` folds all that the stream retains, `off` only what is stored from now on. */
  readonly replay: "on" | "off";
  /** Counts each event that was folded or already known. */
  readonly meter?: { now(): number; done(events: number, since?: number): void };
  /** Recreates the stream when somebody deletes it. */
  readonly streams?: Pick<StreamKeeper, "restore">;
}

/** What a materializer has folded. */
export interface Coverage {
  /** Everything that the stream stored from then on, in ms since the epoch. */
  readonly since: number;
  /** How many events of that very millisecond, if some of them may be gone; undefined = all. */
  readonly first: number | undefined;
}

/** The last message folded, which identifies the stream. */
interface Place {
  readonly seq: number;
  readonly storedAt: number;
}

/**
 * Folds the final events into `fold`, first those that the stream retains and then new ones, until `close`. After NATS
 * was away it continues at the sequence after the last one folded, never by time, which goes back when the broker's
 * clock is corrected. The message at that place tells whether the stream is still the same; the creation time does not,
 * because each node of a cluster of nats-server 2.10 reports another. If the stream is another one, or has lost its
 * tail, it starts from nothing with what that stream retains, so that all materializers have the same figures.
 */
export class Replay {
  readonly #options: ReplayOptions;
  readonly #stop = new AbortController();
  #session: LogSession | undefined;
  /** Undefined = the beginning. */
  #place: Place | undefined;
  /** The stream of this session, and the first sequence to fold from it. */
  #stream: { readonly created: string; readonly from: number } | undefined;
  /** Last sequence in the stream when the folding began; undefined until the stream was found. */
  #target: number | undefined;
  readonly #caughtUp = Promise.withResolvers<void>();
  #isCaughtUp = false;
  #trouble: string | undefined;
  #undecodable = 0;
  #pending = 0;
  #coverage: { since: number; first: number | undefined } | undefined;

  constructor(options: ReplayOptions) {
    this.#options = options;
    void this.#run();
  }

  /** Whether everything that the stream held when the folding began is folded. Stays true unless it starts over. */
  caughtUp(): boolean {
    return this.#isCaughtUp;
  }

  /** Resolves when it has caught up; stays pending when the replay is closed before. */
  whenCaughtUp(): Promise<void> {
    return this.#caughtUp.promise;
  }

  /** Why the figures are not right: the rebuild is running, or the stream cannot be read. Undefined = fine. */
  get problem(): string | undefined {
    if (this.#trouble !== undefined) return this.#trouble;
    return this.#isCaughtUp ? undefined : `still folding what ${streamName} retains`;
  }

  /** What the figures cover; undefined before the first event, unless the stream could be read from its beginning. */
  get coverage(): Coverage | undefined {
    return this.#coverage;
  }

  /** How many messages of the stream follow the last one folded. */
  get pending(): number {
    return this.#pending;
  }

  /** Final events that could not be read; each was logged and skipped. */
  get undecodable(): number {
    return this.#undecodable;
  }

  /** Stops the folding: no event is folded after this call. Call it before closing the connection. */
  close(): void {
    this.#stop.abort();
    this.#session?.end("closed");
  }

  async #run(): Promise<void> {
    const { nc, fold, log } = this.#options;
    const js = jetstream(nc);
    void this.#watchConnection();
    // Where a restart of the numbers might go unnoticed, they do not count.
    void watchRaw(nc, (since) => fold.folded.numbersSince(since), this.#stop.signal);
    for (let failures = 0; !this.#stop.signal.aborted && !nc.isClosed(); ) {
      try {
        this.#session = new LogSession({
          js,
          stream: streamName,
          start: (stream) => this.#start(stream),
          onOpen: () => {
            this.#trouble = undefined;
          },
          onMessage: (message) => this.#receive(message),
          onIdle: () => this.#reachedEnd(),
        });
        const why = await this.#session.run();
        failures = 0;
        if (!this.#stop.signal.aborted) log.info({ why }, `opening ${streamName} again`);
      } catch (err) {
        if (this.#stop.signal.aborted) return;
        this.#trouble = `${streamName} cannot be read: ${reasonOf(err)}`;
        if (hasCode(err, streamNotFound)) await this.#options.streams?.restore();
        if (failures++ % 40 === 0) log.warn({ err }, `${streamName} cannot be read, trying until it can`);
        await sleep(retryMs, undefined, { signal: this.#stop.signal }).catch(() => {});
      }
    }
  }

  /** The library would repair an ordered consumer by sequence; a new session checks the stream first. */
  async #watchConnection(): Promise<void> {
    for await (const { type } of this.#options.nc.status())
      if (type === "reconnect") this.#session?.end("reconnected");
  }

  /** Checks the stream and returns where to start: at the last message folded, to see whether it is still the same. */
  #start({ state, created }: StreamInfo): Partial<OrderedConsumerOptions> {
    if (this.#place !== undefined && state.last_seq < this.#place.seq)
      this.#beginAnew(`${streamName} was made anew or has lost its last messages`);
    if (this.#target === undefined) {
      this.#stream = { created, from: this.#firstOf(state, created) };
      this.#target = state.last_seq;
      const isWhole = this.#stream.from <= 1 && state.first_seq <= 1;
      this.#coverage = isWhole ? { since: Date.parse(created), first: undefined } : undefined;
    }
    const from = this.#place?.seq ?? this.#stream?.from ?? 1;
    if (state.messages === 0 || state.last_seq < from) this.#reachedEnd();
    return { inactive_threshold: 60_000, ...(from > 1 ? { opt_start_seq: from } : {}) };
  }

  /** The first sequence to fold: without a replay, what is stored after the start of this process. */
  #firstOf({ last_seq }: StreamState, created: string): number {
    if (this.#options.replay === "on") return 1;
    if (this.#stream === undefined) return last_seq + 1;
    return this.#stream.created === created ? Math.min(this.#stream.from, last_seq + 1) : 1;
  }

  #beginAnew(why: string): void {
    this.#options.log.warn(`${why}: the figures are made anew of what it retains`);
    this.#options.fold.reset();
    this.#place = undefined;
    this.#target = undefined;
    this.#isCaughtUp = false;
  }

  #receive(message: JsMsg): void {
    if (this.#stop.signal.aborted) return;
    const since = this.#options.meter?.now();
    const { info, seq } = message;
    const storedAt = Math.floor(info.timestampNanos / 1_000_000);
    if (seq === this.#place?.seq && storedAt !== this.#place.storedAt) {
      this.#beginAnew(`${streamName} has other messages where it was left`);
      this.#session?.end("begins anew");
      return;
    }
    const headers = ReceivedHeaders.ofJetStream(message);
    const source = headers.get("Casino-Source");
    const event = readFinalEvent(message.subject, source, message.data, storedAt);
    if (typeof event === "string") {
      this.#undecodable++;
      const { subject } = message;
      this.#options.log.error(
        { subject, seq, problem: event },
        "a final event cannot be read and is skipped",
      );
    } else {
      this.#coverage ??= { since: storedAt, first: 0 };
      const accepted = parseAccepted(headers.get(acceptedHeader));
      const isNew = this.#options.fold.apply(event, { accepted, receivedAt: Date.now() });
      this.#options.meter?.done(1, since);
      if (isNew && storedAt === this.#coverage.since && this.#coverage.first !== undefined)
        this.#coverage.first++;
    }
    this.#place = { seq, storedAt };
    this.#pending = info.pending;
    if (info.pending === 0 || info.streamSequence >= (this.#target ?? 0)) this.#reachedEnd();
  }

  #reachedEnd(): void {
    this.#isCaughtUp = true;
    this.#caughtUp.resolve();
  }
}
