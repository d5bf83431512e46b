import { setTimeout as sleep } from "node:timers/promises";
import {
  type ConsumerMessages,
  type JetStreamClient,
  type JsMsg,
  jetstream,
  jetstreamManager,
  type OrderedConsumerOptions,
} from "@nats-io/jetstream";
import type { NatsConnection } from "nats";
import { finalStage, stageStream } from "../jetstream/subjects.ts";
import { ReceivedHeaders } from "../jetstream/wire-headers.ts";
import type { Log } from "../log.ts";
import { readFinalEvent } from "./final-event.ts";
import type { Fold } from "./fold.ts";

const streamName = stageStream(finalStage);
const retryMs = 250;
const pull = {
  // Enough in flight that the server never waits for the next request while a rebuild runs.
  max_messages: 5_000,
  expires: 30_000,
  // Two missed ones, and the session is opened anew.
  idle_heartbeat: 2_000,
};

export interface ReplayOptions {
  readonly nc: NatsConnection;
  readonly fold: Fold;
  readonly log: Log;
  /** `on` folds all that the stream retains, `off` only what is stored from now on. */
  readonly replay: "on" | "off";
}

/** What a materializer has folded. */
export interface Coverage {
  /** Everything that the stream stored from then on, in ms since the epoch. */
  readonly since: number;
  /** How many events of that very millisecond, where not all of them may have been left; undefined = all. */
  readonly first: number | undefined;
}

/**
 * Folds the final events into `fold`, first those the stream retains and then those to come, until `close`. Goes on
 * by itself after NATS was away, and after the stream was deleted and created anew or lost its tail: where the last
 * session ended is remembered as the time at which the stream stored the last event, because sequences may be given
 * out again and times are not. What comes twice by that, the fold knows.
 */
export class Replay {
  readonly #options: ReplayOptions;
  readonly #stop = new AbortController();
  #endSession: (why: string) => void = () => {};
  /** Stored time of the last message, milliseconds since 1970; undefined = the beginning of the stream. */
  #resumeAt: number | undefined;
  /** Last sequence that the stream held at start; undefined until the stream was found. */
  #target: number | undefined;
  readonly #caughtUp = Promise.withResolvers<void>();
  #isCaughtUp = false;
  #trouble: string | undefined;
  #undecodable = 0;
  #coverage: { since: number; first: number | undefined } | undefined;

  constructor(options: ReplayOptions) {
    this.#options = options;
    void this.#run();
  }

  /** Whether all that the stream held at start is folded. Stays true from then on. */
  caughtUp(): boolean {
    return this.#isCaughtUp;
  }

  /** Resolves as soon as it is so; stays pending when the replay is closed before. */
  whenCaughtUp(): Promise<void> {
    return this.#caughtUp.promise;
  }

  /** Why the figures are not what they should be: the rebuild still runs, or the stream cannot be read. Undefined = fine. */
  get problem(): string | undefined {
    if (this.#trouble !== undefined) return this.#trouble;
    return this.#isCaughtUp ? undefined : `still folding what ${streamName} retains`;
  }

  /** What the figures are of; undefined before the first event, unless the stream was there to be read from its beginning. */
  get coverage(): Coverage | undefined {
    return this.#coverage;
  }

  /** Final events that could not be read; each was logged and skipped. */
  get undecodable(): number {
    return this.#undecodable;
  }

  /** Ends the folding: no event is folded after this call. To be called before the connection is closed. */
  close(): void {
    this.#stop.abort();
    this.#endSession("closed");
  }

  async #run(): Promise<void> {
    const { nc, log } = this.#options;
    const js = jetstream(nc);
    void this.#watchConnection();
    for (let failures = 0; !this.#stop.signal.aborted && !nc.isClosed(); ) {
      try {
        const why = await this.#session(js);
        failures = 0;
        if (!this.#stop.signal.aborted) log.info({ why }, `resuming ${streamName} where it was left`);
      } catch (err) {
        if (this.#stop.signal.aborted) return;
        this.#trouble = `${streamName} cannot be read: ${err instanceof Error ? err.message : String(err)}`;
        if (failures++ % 40 === 0) log.warn({ err }, `${streamName} cannot be read, trying until it can`);
        await sleep(retryMs, undefined, { signal: this.#stop.signal }).catch(() => {});
      }
    }
  }

  /** The library would mend an ordered consumer by sequence; a new session looks at the stream first. */
  async #watchConnection(): Promise<void> {
    for await (const { type } of this.#options.nc.status())
      if (type === "reconnect") this.#endSession("reconnected");
  }

  /** Folds until something is wrong with the consumer, the stream or the connection; resolves to what it was. */
  async #session(js: JetStreamClient): Promise<string> {
    const { promise: ended, resolve: end } = Promise.withResolvers<string>();
    this.#endSession = end;
    const opening = this.#open(js, end);
    // A request that went down with the old connection is never answered: do not wait for it once there is a new one.
    const why = await Promise.race([opening.then(() => ended), ended]);
    opening.then(
      ({ consumer, messages }) => {
        messages.stop();
        // Best effort: the server removes it by itself, later.
        consumer.delete().catch(() => {});
      },
      () => {},
    );
    return why;
  }

  async #open(js: JetStreamClient, end: (why: string) => void) {
    const consumer = await js.consumers.get(streamName, await this.#start());
    const messages = await consumer.consume({ ...pull, callback: (message) => this.#receive(message) });
    this.#trouble = undefined;
    void this.#watch(messages, end);
    return { consumer, messages };
  }

  async #start(): Promise<Partial<OrderedConsumerOptions>> {
    const common = { inactive_threshold: 60_000 };
    if (this.#target === undefined) {
      const manager = await jetstreamManager(this.#options.nc, { checkAPI: false });
      const { state, created } = await manager.streams.info(streamName);
      this.#target = state.last_seq;
      const isWhole = this.#options.replay === "on" ? state.first_seq <= 1 : state.last_seq === 0;
      if (isWhole) this.#coverage = { since: Date.parse(created), first: undefined };
      if (this.#options.replay === "off" && state.last_seq > 0) {
        this.#resumeAt = Date.parse(state.last_ts) + 1;
        this.#reachedEnd();
        return { ...common, opt_start_seq: state.last_seq + 1 };
      }
      if (state.messages === 0) this.#reachedEnd();
    }
    if (this.#resumeAt === undefined) return common;
    return { ...common, opt_start_time: new Date(this.#resumeAt).toISOString() };
  }

  #receive(message: JsMsg): void {
    if (this.#stop.signal.aborted) return;
    const { info } = message;
    const storedAt = Math.floor(info.timestampNanos / 1_000_000);
    const source = ReceivedHeaders.ofJetStream(message).get("Casino-Source");
    const event = readFinalEvent(message.subject, source, message.data, storedAt);
    if (typeof event === "string") {
      this.#undecodable++;
      const { subject, seq } = message;
      this.#options.log.error(
        { subject, seq, problem: event },
        "a final event cannot be read and is skipped",
      );
    } else {
      this.#coverage ??= { since: storedAt, first: 0 };
      const isNew = this.#options.fold.apply(event);
      if (isNew && storedAt === this.#coverage.since && this.#coverage.first !== undefined)
        this.#coverage.first++;
    }
    this.#resumeAt = storedAt;
    if (info.pending === 0 || info.streamSequence >= (this.#target ?? 0)) this.#reachedEnd();
  }

  #reachedEnd(): void {
    this.#isCaughtUp = true;
    this.#caughtUp.resolve();
  }

  async #watch(messages: ConsumerMessages, end: (why: string) => void): Promise<void> {
    for await (const status of messages.status()) {
      switch (status.type) {
        case "heartbeat": // comes only when there is nothing to deliver: also after the rest has aged out
          this.#reachedEnd();
          break;
        case "heartbeats_missed":
        case "consumer_not_found":
        case "consumer_deleted":
        case "stream_not_found":
        case "no_responders":
        case "reset":
          end(status.type);
      }
    }
    end(String((await messages.closed()) ?? "stopped"));
  }
}
