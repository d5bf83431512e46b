import type { NatsConnection } from "nats";
import type { LetterWriter } from "../actor/letter-writer.ts";
import { type PubAck, PublishError } from "../jetstream/pub-ack.ts";
import type { OnSettled, Publisher } from "../jetstream/publisher.ts";
import type { Reader } from "../jetstream/reader.ts";
import { readStored } from "../jetstream/stored-message.ts";
import type { DeadReason } from "../messages/dead-letter.ts";
import { retryMessage } from "../messages/retry.ts";
import { retryStream, senderName } from "../messages/subjects.ts";
import type { Log } from "../service/log.ts";
import { LogLimit } from "../service/log-limit.ts";
import type { Attempt } from "../webhooks/deliver.ts";
import type { DeliveryOutcome } from "../webhooks/deliveries.ts";
import { type RetryPlan, untilNextAttempt } from "../webhooks/retry-plan.ts";
import { deadMessageOf, type Item, waitingOf } from "./item.ts";
import type { PlayerOrder } from "./player-order.ts";
import type { Recorder } from "./recorder.ts";

/** Counts deliveries. */
export interface DeliveryMeter {
  /** @param inFlight how many events are in hand, asked when somebody looks */
  opened(inFlight: () => number): void;
  /** The time, for `done`. */
  now(): number;
  /** Events were delivered or became dead letters. @param since when their call began */
  done(events: number, since?: number): void;
  /** An event has to be tried again. */
  returned(): void;
  setAside(reason: string): void;
}

interface SettlementOptions {
  readonly destination: string;
  readonly plan: RetryPlan;
  readonly publisher: Publisher;
  readonly letters: LetterWriter;
  readonly nc: NatsConnection;
  /** Whose messages are settled. */
  readonly reader: Pick<Reader, "hold" | "untilStored">;
  readonly recorder: Pick<Recorder, "record">;
  readonly order: PlayerOrder | undefined;
  readonly meter?: DeliveryMeter | undefined;
  readonly log: Log;
}

/**
 * Settles an event after an attempt. It acknowledges the message once the attempt is recorded and, after a failure,
 * once CASINO_RETRY or CASINO_DEAD has the event. If the process stops before that, the event is delivered again.
 */
export class Settlement {
  readonly #options: SettlementOptions;
  readonly #lines: LogLimit;

  constructor(options: SettlementOptions) {
    this.#options = options;
    this.#lines = new LogLimit(options.log);
  }

  /**
   * Resolves when the item is settled, or will be delivered again. Never rejects.
   * @param webhookId of the call
   * @param since when it began, by the meter's clock
   */
  async settle(item: Item, attempt: Attempt, webhookId: string, since?: number): Promise<void> {
    const { meter } = this.#options;
    if (attempt.ok) {
      meter?.done(1, since);
      this.#isDone(item);
      if (await this.#record(item, attempt, webhookId, "delivered")) item.mailbox.ack(item.delivery);
      return;
    }
    const attempts = item.attempts + 1;
    const pause = untilNextAttempt(this.#options.plan, attempts, attempt.retryAfterMs);
    const because = attempt.error ?? "The call failed.";
    const outcome =
      pause === undefined
        ? await this.#putAside(item, "delivery_failed", `After ${attempts} attempts: ${because}`, attempts)
        : await this.#wait(item, attempts, Date.now() + pause, because);
    if (outcome === "failed") meter?.returned();
    // Only now, because an event with a recorded attempt is no longer looked for in the log or the archive.
    if (outcome !== undefined && (await this.#record(item, attempt, webhookId, outcome)))
      item.mailbox.ack(item.delivery);
  }

  /** Publishes an untried event to CASINO_RETRY behind its player's waiting events. */
  async putBehind(item: Item): Promise<void> {
    const outcome = await this.#wait(item, item.attempts, Date.now(), undefined);
    if (outcome !== undefined) item.mailbox.ack(item.delivery);
  }

  async #record(item: Item, result: Attempt, webhookId: string, outcome: DeliveryOutcome): Promise<boolean> {
    const { destination, recorder } = this.#options;
    return recorder.record({
      destination,
      event: item.event,
      webhookId,
      attempt: item.attempts + 1,
      outcome,
      result,
    });
  }

  /** @returns what became of it: CASINO_RETRY has it, or CASINO_DEAD, if it does not fit; undefined if neither */
  async #wait(
    item: Item,
    attempts: number,
    due: number,
    error: string | undefined,
  ): Promise<"failed" | "set_aside" | undefined> {
    const { destination, order, publisher } = this.#options;
    const { playerId, sequence } = item.event;
    const isNew = playerId !== undefined && order?.knows(playerId, item.name) === false;
    if (playerId !== undefined) order?.waits(playerId, item.name, sequence, due);
    const message = retryMessage(waitingOf(item, destination, { attempts, due, error }));
    const ack = await this.#untilStored("delivery", (onSettled) => publisher.send(message, onSettled));
    if (ack instanceof PublishError) {
      const because = `It does not fit into ${retryStream} to wait for another attempt: ${ack.message}`;
      return this.#putAside(
        item,
        "too_large",
        error === undefined ? because : `${error} ${because}`,
        attempts,
      );
    }
    // It may have waited before and been delivered since: then nobody has to wait for it.
    if (ack?.duplicate && isNew && !(await this.#isWaiting(ack.seq))) this.#isDone(item);
    return ack && "failed";
  }

  /** @returns undefined unless CASINO_DEAD has it */
  async #putAside(
    item: Item,
    reason: DeadReason,
    because: string,
    attempts: number,
  ): Promise<"set_aside" | undefined> {
    const { destination, letters, meter, log } = this.#options;
    const { client, source, id } = item.event;
    const message = deadMessageOf(item, attempts);
    const why = { step: senderName(destination), client, reason, because };
    const ack = await this.#untilStored("dead letter", (onSettled) =>
      letters.attempt(message, why, onSettled),
    );
    if (ack instanceof PublishError)
      log.error({ err: ack }, "a dead letter does not fit into CASINO_DEAD: raise its max_msg_size");
    if (ack === undefined || ack instanceof PublishError) return undefined;
    meter?.setAside(reason);
    this.#isDone(item);
    const details = { destination, source, event_id: id };
    const text = `an event becomes a dead letter: ${because}`;
    this.#lines.line("warn", { client, reason }, details, text);
    return "set_aside";
  }

  #isDone({ event: { playerId }, name }: Item): void {
    if (playerId !== undefined) this.#options.order?.isDone(playerId, name);
  }

  /** Whether CASINO_RETRY still holds a message; true also if the process stops before the broker answers. */
  async #isWaiting(seq: number): Promise<boolean> {
    const { nc, reader } = this.#options;
    let isThere = true;
    const look = async () => {
      isThere = (await readStored(nc, retryStream, seq)) !== undefined;
    };
    await reader.hold("delivery", look, look, { isFinal: () => false });
    return isThere;
  }

  /** @returns the error if it does not fit; undefined if the process stops first */
  #untilStored(
    what: "delivery" | "dead letter",
    publish: (onSettled: OnSettled) => void,
  ): Promise<PubAck | PublishError | undefined> {
    return new Promise((resolve) => {
      this.#options.reader.untilStored.publish({
        publish,
        what,
        onStored: resolve,
        onTooLarge: resolve,
        onGivenUp: () => resolve(undefined),
      });
    });
  }
}
