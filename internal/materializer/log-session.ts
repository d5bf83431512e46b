import type {
  ConsumerMessages,
  JetStreamClient,
  JsMsg,
  OrderedConsumerOptions,
  StreamInfo,
} from "@nats-io/jetstream";

const pull = {
  // Enough in flight that the server never waits for the next request while a rebuild runs.
  max_messages: 5_000,
  expires: 30_000,
  // Two missed ones, and the session is over.
  idle_heartbeat: 2_000,
};

export interface LogSessionOptions {
  readonly js: JetStreamClient;
  readonly stream: string;
  /** Where to begin in the stream as it is now. */
  readonly start: (stream: StreamInfo) => Partial<OrderedConsumerOptions>;
  readonly onOpen: () => void;
  readonly onMessage: (message: JsMsg) => void;
  /** There is nothing to deliver; may come more than once. */
  readonly onIdle: () => void;
}

/** A stream read in its order, from the opening of a consumer until something is wrong with it. Nothing is called once it is over. */
export class LogSession {
  readonly #options: LogSessionOptions;
  readonly #ended = Promise.withResolvers<string>();
  #isOver = false;

  constructor(options: LogSessionOptions) {
    this.#options = options;
  }

  /** What the consumer still delivers belongs to the next session. */
  end(why: string): void {
    this.#isOver = true;
    this.#ended.resolve(why);
  }

  /** Reads until it is over; resolves to the reason. @throws when it cannot be opened */
  async run(): Promise<string> {
    const opening = this.#open();
    // A request that went down with the old connection is never answered: do not wait for it once there is a new one.
    const why = await Promise.race([opening.then(() => this.#ended.promise), this.#ended.promise]);
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

  async #open() {
    const { js, stream, start, onOpen, onMessage } = this.#options;
    const manager = await js.jetstreamManager(false);
    const found = await manager.streams.info(stream);
    if (this.#isOver) throw new Error("another session has begun");
    const consumer = await js.consumers.get(stream, start(found));
    const messages = await consumer.consume({
      ...pull,
      callback: (message) => {
        if (!this.#isOver) onMessage(message);
      },
    });
    onOpen();
    void this.#watch(messages);
    return { consumer, messages };
  }

  async #watch(messages: ConsumerMessages): Promise<void> {
    for await (const { type } of messages.status()) {
      switch (type) {
        case "heartbeat": // comes only when there is nothing to deliver: also after the rest has aged out
          if (!this.#isOver) this.#options.onIdle();
          break;
        case "heartbeats_missed":
        case "consumer_not_found":
        case "consumer_deleted":
        case "stream_not_found":
        case "no_responders":
        case "reset":
          this.end(type);
      }
    }
    this.end(String((await messages.closed()) ?? "stopped"));
  }
}
