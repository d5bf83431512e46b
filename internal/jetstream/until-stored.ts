import { pauseMs } from "../service/back-off.ts";
import type { Outage } from "../service/outage.ts";
import { type PubAck, PublishError } from "./pub-ack.ts";
import type { OnSettled } from "./publisher.ts";

export interface Publication {
  /** Makes one attempt and reports its result once. */
  readonly publish: (onSettled: OnSettled) => void;
  /** The kind of message, which tells outages apart: each kind goes to a stream of its own. */
  readonly what: string;
  readonly onStored: (ack: PubAck) => void;
  readonly onTooLarge: (why: PublishError) => void;
  /** The process stops first: the message's source has to be handed back. */
  readonly onGivenUp: (why: PublishError) => void;
}

export interface UntilStoredOptions {
  /** Ends the attempts. */
  readonly stopping: AbortSignal;
  readonly outage: Outage;
}

/**
 * Publishes until the message is stored: after a refusal by a full stream or an absent broker it backs off and tries
 * again, however long it takes. Only a stop of the process ends it.
 */
export class UntilStored {
  readonly #stopping: AbortSignal;
  readonly #outage: Outage;
  /** Ends the pause of each message that waits for its next attempt. */
  readonly #pauses = new Set<() => void>();

  constructor({ stopping, outage }: UntilStoredOptions) {
    this.#stopping = stopping;
    this.#outage = outage;
    // One listener: a thousand messages may wait, and each listener of a signal is compared with all others.
    stopping.addEventListener("abort", () => this.#pauses.forEach((end) => void end()), { once: true });
  }

  publish(publication: Publication, attempt = 1): void {
    publication.publish((outcome) => {
      if (outcome instanceof PublishError) this.refused(outcome, publication, attempt);
      else {
        if (attempt > 1) this.#outage.succeeded(publication.what, publication);
        publication.onStored(outcome);
      }
    });
  }

  /** Continues after a first attempt that the caller has made. */
  refused(why: PublishError, publication: Publication, attempt = 1): void {
    if (why.isTooLarge) {
      this.#outage.succeeded(publication.what, publication);
      publication.onTooLarge(why);
    } else if (this.#stopping.aborted) publication.onGivenUp(why);
    else {
      // A copy that comes while its original is being stored is no outage, unless that lasts.
      const isUsual = why.isInProcess && attempt === 1;
      const lasts = isUsual ? 1 : this.#outage.failed(publication.what, publication, why, true);
      const end = (): void => {
        clearTimeout(pause);
        this.#pauses.delete(end);
        if (this.#stopping.aborted) publication.onGivenUp(why);
        else this.publish(publication, attempt + 1);
      };
      const pause = setTimeout(end, pauseMs(Math.max(attempt, lasts)));
      this.#pauses.add(end);
    }
  }
}
