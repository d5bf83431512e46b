import { Redis } from "ioredis";

/** Whether Redis answered with an error, such as that it is full (OOM) or a replica (READONLY): it is not away. */
export const isReply = (err: unknown): err is Error => err instanceof Error && err.name === "ReplyError";

export interface RedisOptions {
  /** Limit in ms on connecting and on each command; default 1 s. */
  readonly timeoutMs?: number;
  /** Connecting failed, or a command that is `watched`. */
  readonly onFailure: (err: unknown) => void;
  /** A `watched` command succeeded, or Redis is there again. */
  readonly onSuccess: () => void;
}

/**
 * A connection to Redis that keeps nobody waiting: while Redis is away commands fail at once, and it reconnects by
 * itself. A command that was sent before an outage is not sent again after it.
 */
export class RedisConnection {
  readonly client: Redis;
  readonly #options: RedisOptions;
  /** Redis answers with errors: a new connection does not mean that it works again. */
  #refuses = false;

  constructor(url: string, options: RedisOptions) {
    const { timeoutMs = 1_000, onFailure, onSuccess } = options;
    this.#options = options;
    this.client = new Redis(url, {
      connectTimeout: Math.max(timeoutMs, 1_000),
      commandTimeout: timeoutMs,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      retryStrategy: (attempt) => Math.min(attempt * 100, 2_000),
      // A Redis that became a replica: a new connection may reach the one that took over. Around scripts Redis puts
      // other words before this one.
      reconnectOnError: (err) => /\bREADONLY\b/.test(err.message),
    });
    // Without a listener ioredis would write each failed attempt to the console.
    this.client.on("error", onFailure);
    this.client.on("ready", () => {
      if (!this.#refuses) onSuccess();
    });
  }

  /** The answer to a command that only a Redis that works can answer. @throws what the command fails with */
  async watched<T>(answer: Promise<T>): Promise<T> {
    try {
      await answer;
      this.#refuses = false;
      this.#options.onSuccess();
    } catch (err) {
      this.#refuses = isReply(err);
      this.#options.onFailure(err);
    }
    return answer;
  }

  /** Closes it once what was sent is answered. Never rejects. */
  async close(): Promise<void> {
    await this.client.quit().catch(() => this.client.disconnect());
  }
}
