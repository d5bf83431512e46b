import type { IngestBuffer } from "../../jetstream/ingest-buffer.ts";
import { PublishError } from "../../jetstream/pub-ack.ts";
import type { OnSettled } from "../../jetstream/publisher.ts";
import { mostEventsPerMessage } from "../../messages/accepted.ts";
import { type RawSender, rawMessages } from "../../messages/raw-message.ts";

interface EventBatcherOptions {
  readonly buffer: IngestBuffer;
  /**
   * Whether several events may travel in one message; asked each time, because a reconnect may lead to another server.
   */
  readonly bundles: () => boolean;
}

/** Events of one sender that travel together, and the callback of each. */
interface Batch {
  readonly sender: RawSender;
  readonly events: string[];
  readonly onSettled: OnSettled[];
}

/**
 * Publishes accepted events. Events of one sender that are added within one turn of the event loop, by one request or
 * many, travel in as few messages as fit, and share a trace unless they have their own. Nothing waits longer than that
 * turn.
 */
export class EventBatcher {
  readonly #buffer: IngestBuffer;
  readonly #bundles: () => boolean;
  readonly #batches = new Map<string, Batch>();
  /** Events in the batches, and their characters: about their bytes, for one turn. */
  #events = 0;
  #bytes = 0;
  #isScheduled = false;

  constructor({ buffer, bundles }: EventBatcherOptions) {
    this.#buffer = buffer;
    this.#bundles = bundles;
  }

  /** Maximum bytes of one message, including headers. */
  get maxMessageBytes(): number {
    return this.#buffer.maxMessageBytes;
  }

  /** Whether `add` may be called now; if not, await `room` first. */
  get hasRoom(): boolean {
    return this.#buffer.hasRoomBeside(this.#events, this.#bytes);
  }

  /** The same as `IngestBuffer.room`. */
  room(signal: AbortSignal): Promise<boolean> {
    this.#flush();
    return this.#buffer.room(signal);
  }

  /** @param event a JSON object without line breaks */
  add(sender: RawSender, event: string, onSettled: OnSettled): void {
    const { client, source, traceparent = "" } = sender;
    const key = `${client} ${source} ${traceparent}`;
    let batch = this.#batches.get(key);
    if (batch === undefined) {
      batch = { sender, events: [], onSettled: [] };
      this.#batches.set(key, batch);
    }
    batch.events.push(event);
    batch.onSettled.push(onSettled);
    this.#events++;
    this.#bytes += event.length;
    if (!this.#bundles() || batch.events.length === mostEventsPerMessage) this.#flush();
    else if (!this.#isScheduled) {
      this.#isScheduled = true;
      // Not a microtask, which would run before the other requests of the same turn.
      setImmediate(() => {
        this.#isScheduled = false;
        this.#flush();
      });
    }
  }

  #flush(): void {
    const batches = [...this.#batches.values()];
    this.#batches.clear();
    this.#events = this.#bytes = 0;
    for (const batch of batches) this.#publish(batch);
  }

  #publish({ sender, events, onSettled }: Batch): void {
    let from = 0;
    for (const { message, events: count } of rawMessages(sender, events, this.#buffer.maxMessageBytes)) {
      const batch = {
        sender,
        events: events.slice(from, from + count),
        onSettled: onSettled.slice(from, from + count),
      };
      from += count;
      this.#buffer.send(
        message,
        (outcome) => {
          // The server takes less than when we connected, or somebody has limited the stream.
          if (outcome instanceof PublishError && outcome.isTooLarge && count > 1) this.#publishApart(batch);
          else for (const settle of batch.onSettled) settle(outcome);
        },
        count,
      );
    }
  }

  #publishApart({ sender, events, onSettled }: Batch): void {
    for (const [at, event] of events.entries())
      this.#publish({ sender, events: [event], onSettled: onSettled.slice(at, at + 1) });
  }
}
