import type { LetterWriter } from "../actor/letter-writer.ts";
import type { OnSettled, Publisher } from "../jetstream/publisher.ts";
import type { UntilStored } from "../jetstream/until-stored.ts";
import type { DeadReason } from "../messages/dead-letter.ts";
import { retryMessage } from "../messages/retry.ts";
import { senderName } from "../messages/subjects.ts";
import type { Log } from "../service/log.ts";
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
  readonly untilStored: UntilStored;
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

  constructor(options: SettlementOptions) {
    this.#options = options;
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
    const isLast = pause === undefined;
    if (isLast) meter?.setAside("delivery_failed");
    else meter?.returned();
    const isStored = isLast
      ? await this.#putAside(item, "delivery_failed", `After ${attempts} attempts: ${because}`, attempts)
      : await this.#wait(item, attempts, Date.now() + pause, because);
    // Only now, because an event with a recorded attempt is no longer looked for in the log or the archive.
    if (isStored && (await this.#record(item, attempt, webhookId, isLast ? "set_aside" : "failed")))
      item.mailbox.ack(item.delivery);
  }

  /** Publishes an untried event to CASINO_RETRY behind its player's waiting events. */
  async putBehind(item: Item): Promise<void> {
    if (await this.#wait(item, item.attempts, Date.now(), undefined)) item.mailbox.ack(item.delivery);
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

  /** @returns whether CASINO_RETRY has it */
  #wait(item: Item, attempts: number, due: number, error: string | undefined): Promise<boolean> {
    const { destination, order, publisher } = this.#options;
    const { playerId, sequence } = item.event;
    if (playerId !== undefined) order?.waits(playerId, item.name, sequence, due);
    const message = retryMessage(waitingOf(item, destination, { attempts, due, error }));
    return this.#untilStored("delivery", (onSettled) => publisher.send(message, onSettled));
  }

  /** @returns whether CASINO_DEAD has it */
  async #putAside(item: Item, reason: DeadReason, because: string, attempts: number): Promise<boolean> {
    const { destination, letters, log } = this.#options;
    const { client, source, id } = item.event;
    const message = deadMessageOf(item, attempts);
    const why = { step: senderName(destination), client, reason, because };
    const isStored = await this.#untilStored("dead letter", (onSettled) =>
      letters.attempt(message, why, onSettled),
    );
    if (!isStored) return false;
    this.#isDone(item);
    log.warn(
      { destination, client, source, event_id: id, reason },
      `an event becomes a dead letter: ${because}`,
    );
    return true;
  }

  #isDone({ event: { playerId }, name }: Item): void {
    if (playerId !== undefined) this.#options.order?.isDone(playerId, name);
  }

  #untilStored(what: "delivery" | "dead letter", publish: (onSettled: OnSettled) => void): Promise<boolean> {
    return new Promise((resolve) => {
      this.#options.untilStored.publish({
        publish,
        what,
        onStored: () => resolve(true),
        onTooLarge: (err) => {
          this.#options.log.error({ err }, `a ${what} does not fit into its stream: raise its max_msg_size`);
          resolve(false);
        },
        onGivenUp: () => resolve(false),
      });
    });
  }
}
