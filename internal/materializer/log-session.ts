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
  // After two missed heartbeats the session is over.
  idle_heartbeat: 2_000,
};

interface LogSessionOptions {
  readonly js: JetStreamClient;
  readonly stream: string;
  /** Where to start in the stream as it is now. */
  readonly start: (stream: StreamInfo) => Partial<OrderedConsumerOptions>;
  readonly onOpen: () => void;
  readonly onMessage: (message: JsMsg) => void;
  /** There is nothing to deliver; may be called repeatedly. */
  readonly onIdle: () => void;
}

/** Reads a stream in order, from the opening of a consumer until something goes wrong. Calls nothing once it is over. */
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
    // A request lost with the old connection is never answered: do not wait for it on a new one.
    const why = await Promise.race([opening.then(() => this.#ended.promise), this.#ended.promise]);
    opening.then(
      ({ consumer, messages }) => {
        messages.stop();
        // Best effort: otherwise the server removes it later.
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
        case "heartbeat": // only comes when there is nothing to deliver, also after the rest has expired
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
