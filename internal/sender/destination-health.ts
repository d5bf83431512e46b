import type { NatsConnection } from "nats";
import { operatorSubject } from "../messages/subjects.ts";
import type { Log } from "../service/log.ts";
import type { Destination } from "../webhooks/destination.ts";
import type { Destinations } from "../webhooks/destinations.ts";
import type { DestinationRun } from "./destination-run.ts";

export interface DestinationHealthOptions {
  readonly nc: NatsConnection;
  readonly destinations: Destinations;
  /** A destination of which nothing but failures came for so long is disabled, in ms. */
  readonly disableAfterMs: number;
  readonly log: Log;
}

/** Tells Postgres which receivers fail, ends what is not to be called any more, and tells client and operator. */
export class DestinationHealth {
  readonly #options: DestinationHealthOptions;

  constructor(options: DestinationHealthOptions) {
    this.#options = options;
  }

  /** Notes how the receivers do, and disables what has failed for too long. @throws Unavailable */
  async note(runs: readonly DestinationRun[], signal: AbortSignal): Promise<void> {
    const { destinations, disableAfterMs } = this.#options;
    for (const { destination, caller } of runs) {
      const { id, failingSince } = destination;
      const since = caller.failingSince;
      if (since === null && failingSince !== null) await destinations.markHealthy(id, signal);
      if (!(since instanceof Date)) continue;
      if (failingSince === null) await destinations.markFailing(id, since, signal);
      const first = failingSince !== null && failingSince < since ? failingSince : since;
      if (Date.now() - first.getTime() >= disableAfterMs)
        await this.disable(destination, `Nothing but failures has come of it since ${first.toISOString()}.`);
    }
  }

  /**
   * Ends the calls to a destination until somebody enables it again. Never rejects: what cannot be done now is done at the next
   * occasion.
   * @param reason a sentence, for its client
   */
  async disable({ id, client }: Destination, reason: string): Promise<void> {
    const { destinations, nc, log } = this.#options;
    try {
      // Of several senders one tells.
      if (!(await destinations.disable(id, reason))) return;
      log.warn({ destination: id, client }, `a destination is disabled: ${reason}`);
      const said = { destination: id, client_id: client, reason, at: new Date().toISOString() };
      nc.publish(operatorSubject("destination_disabled"), JSON.stringify(said));
    } catch (err) {
      log.warn({ err, destination: id }, "a destination cannot be disabled now");
    }
  }
}
