import { jetstreamManager } from "@nats-io/jetstream";
import { type NatsConnection, TimeoutError } from "nats";
import { type Log, reasonOf } from "../service/log.ts";
import { consumerNotFound, hasCode, streamNotFound } from "./api-error.ts";
import { type Durable, ensureDurable } from "./durable.ts";
import { Place } from "./place.ts";
import type { StreamKeeper } from "./stream-keeper.ts";

/** How often the place is noted while messages are settled. A recreated consumer repeats at most this much of the log. */
const noteEveryMs = 1_000;

/** Fewer unanswered requests in a row, over both lanes of a puller, may be a slip. */
const mostUnanswered = 3;

/** Why the server did not deliver. */
interface Refusal {
  readonly code: number;
  readonly said: string;
}

/**
 * Keeps a mailbox's durable consumer alive: creates it where it is missing, recreates it when somebody deletes it or
 * its stream under the running service, and logs what that means. On a log the new one starts where the old one
 * stopped.
 */
export class ConsumerKeeper {
  readonly #nc: NatsConnection;
  readonly #durable: Durable;
  readonly #streams: Pick<StreamKeeper, "restore"> | undefined;
  readonly #log: Log;
  readonly #place: Place | undefined;
  #noting: NodeJS.Timeout | undefined;
  #hasMoved = false;
  #refusal: string | undefined;
  /** Requests in a row without any answer. */
  #unanswered = 0;
  #isMending = false;
  #cannotMend = false;

  constructor(
    nc: NatsConnection,
    {
      durable,
      streams,
      log,
    }: { durable: Durable; streams?: Pick<StreamKeeper, "restore"> | undefined; log: Log },
  ) {
    this.#nc = nc;
    this.#durable = durable;
    this.#streams = streams;
    this.#log = log;
    if (durable.repeated !== undefined) this.#place = new Place(nc, durable);
  }

  /** Why nothing can be pulled at the moment, else undefined. */
  get problem(): string | undefined {
    return this.#refusal;
  }

  /** Creates the consumer where it is missing. @throws Error in one sentence when it cannot */
  async open(): Promise<void> {
    await this.#ensure();
    // Only now: whoever cannot open it tries again with another one, and nobody closes this one.
    if (this.#place !== undefined) this.#noting = setInterval(() => this.#note(), noteEveryMs).unref();
  }

  /** Messages were settled, so the place has moved. */
  moved(): void {
    this.#hasMoved = true;
  }

  /** The consumer exists and delivers. */
  served(): void {
    this.#refusal = undefined;
    this.#cannotMend = false;
    this.#unanswered = 0;
  }

  /**
   * The server refused to deliver: somebody deleted the consumer, or its leader is moving. Logged once until it
   * delivers again.
   * @param code 0 = no answer at all, as from an old server whose consumer is missing. A cluster of such servers also
   *   forgets to answer now and then although all is well, so that alone is logged only when it persists
   */
  refused(code: number, description: string): void {
    const why = `${code === 0 ? "" : `${code} `}${description.trim() || "no responders"}`;
    const refusal = { code, said: `the broker refuses to deliver to ${this.#durable.name} (${why})` };
    if (code !== 0 || ++this.#unanswered >= mostUnanswered) this.#say(refusal);
    if (!this.#isMending) void this.#mend(refusal);
  }

  #say({ code, said }: Refusal): void {
    if (this.#refusal === undefined) this.#log.warn({ code }, said);
    this.#refusal ??= said;
  }

  close(): void {
    clearInterval(this.#noting);
  }

  async #mend(refusal: Refusal): Promise<void> {
    const { stream, name } = this.#durable;
    this.#isMending = true;
    try {
      const jsm = await jetstreamManager(this.#nc, { checkAPI: false });
      await jsm.consumers.info(stream, name).catch(async (err: unknown) => {
        this.#say(refusal);
        if (hasCode(err, streamNotFound)) {
          this.#refusal = `stream ${stream} is missing`;
          await this.#streams?.restore();
        } else if (!hasCode(err, consumerNotFound)) throw err;
        await this.#ensure();
      });
    } catch (err) {
      // A broker that does not answer here either has been reported already.
      if (!this.#cannotMend && !(err instanceof TimeoutError))
        this.#log.warn({ err }, `consumer ${name} of ${stream} cannot be looked after yet: ${reasonOf(err)}`);
      this.#cannotMend = true;
    } finally {
      this.#isMending = false;
    }
  }

  async #ensure(): Promise<void> {
    const { stream, name, repeated } = this.#durable;
    const { from, retained } = (await this.#place?.next()) ?? { from: undefined, retained: 0 };
    const outcome = await ensureDurable(this.#nc, this.#durable, from);
    if (outcome === "there" || repeated === undefined) return;
    const what = { stream, consumer: name, from: from ?? "oldest", retained };
    if (from !== undefined)
      this.#log.warn(
        what,
        `consumer ${name} of ${stream} was gone and is made anew at ${from}, where it was: the events of its last second may be ${repeated}`,
      );
    else if (retained > 0 && this.#durable.beginsAt === undefined)
      this.#log.warn(
        what,
        `consumer ${name} of ${stream} was not there and begins with the oldest event: ${retained} retained events are ${repeated}, if they were before`,
      );
  }

  #note(): void {
    if (!this.#hasMoved || this.#refusal !== undefined) return;
    this.#hasMoved = false;
    this.#place?.note().catch(() => {
      this.#hasMoved = true; // next time
    });
  }
}
