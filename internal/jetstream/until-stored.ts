import { pauseAfter } from "../service/back-off.ts";
import type { Outage } from "../service/outage.ts";
import { type PubAck, PublishError } from "./pub-ack.ts";
import type { OnSettled } from "./publisher.ts";

/** What is published, and who is told. */
export interface Publication {
  /** Tells once whether it is stored. */
  readonly publish: (onSettled: OnSettled) => void;
  /** What it is, by which outages are told apart: each goes to another stream. */
  readonly what: string;
  readonly onStored: (ack: PubAck) => void;
  readonly onTooLarge: (why: PublishError) => void;
  /** The process stops first: what it stands for has to be handed back. */
  readonly onGivenUp: (why: PublishError) => void;
}

export interface UntilStoredOptions {
  /** Ends the attempts, once `stopping` is aborted. */
  readonly shutdown: { readonly stopping: AbortSignal };
  readonly outage: Outage;
}

/**
 * Publishes until it is stored: a full stream or an absent broker means again after a back-off, however long it lasts, and
 * only a stop of the process ends it.
 */
export class UntilStored {
  readonly #stopping: AbortSignal;
  readonly #outage: Outage;

  constructor({ shutdown, outage }: UntilStoredOptions) {
    this.#stopping = shutdown.stopping;
    this.#outage = outage;
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

  /** For who has made the first attempt already. */
  refused(why: PublishError, publication: Publication, attempt = 1): void {
    if (why.isTooLarge) {
      this.#outage.succeeded(publication.what, publication);
      publication.onTooLarge(why);
    } else if (this.#stopping.aborted) publication.onGivenUp(why);
    else {
      const lasts = this.#outage.failed(publication.what, publication, why, true);
      void pauseAfter(Math.max(attempt, lasts), this.#stopping).then(() => {
        if (this.#stopping.aborted) publication.onGivenUp(why);
        else this.publish(publication, attempt + 1);
      });
    }
  }
}
