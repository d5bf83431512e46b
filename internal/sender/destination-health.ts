import type { NatsConnection } from "nats";
import { operatorSubject } from "../messages/subjects.ts";
import type { Log } from "../service/log.ts";
import type { Destination } from "../webhooks/destination.ts";
import type { Destinations } from "../webhooks/destinations.ts";
import type { DestinationRun } from "./destination-run.ts";

interface DestinationHealthOptions {
  readonly nc: NatsConnection;
  readonly destinations: Destinations;
  /** A destination is disabled once all attempts have failed for this long, in ms. */
  readonly disableAfterMs: number;
  readonly log: Log;
}

/** Records in Postgres which receivers fail, and disables those that must not be called any more. */
export class DestinationHealth {
  readonly #options: DestinationHealthOptions;
  /** Since when each receiver fails that Postgres is known to have as failing. */
  readonly #recorded = new WeakMap<object, Date>();

  constructor(options: DestinationHealthOptions) {
    this.#options = options;
  }

  /** Records each receiver's state, and disables those that have failed for too long. @throws Unavailable */
  async note(
    runs: readonly Pick<DestinationRun, "destination" | "caller">[],
    signal: AbortSignal,
  ): Promise<void> {
    const { destinations, disableAfterMs } = this.#options;
    for (const { destination, caller } of runs) {
      const { id, failingSince } = destination;
      const { failingSince: since, succeededAt } = caller;
      if (since === undefined) {
        // A process whose last call was before the others began to fail knows nothing.
        if (failingSince !== null && succeededAt !== undefined && succeededAt > failingSince)
          await destinations.markHealthy(id, signal);
        continue;
      }
      if (failingSince === null && this.#recorded.get(caller) === since) {
        caller.forgetFailures(); // another process has reached it
        continue;
      }
      if (failingSince === null) await destinations.markFailing(id, since, signal);
      this.#recorded.set(caller, since);
      const first = failingSince !== null && failingSince < since ? failingSince : since;
      if (Date.now() - first.getTime() >= disableAfterMs)
        await this.disable(destination, `All its calls have failed since ${first.toISOString()}.`, signal);
    }
  }

  /**
   * Disables a destination until somebody enables it again. Never rejects: if it fails, the next occasion repeats it.
   * @param reason a sentence, for its client
   */
  async disable({ id, client }: Destination, reason: string, signal?: AbortSignal): Promise<void> {
    const { destinations, nc, log } = this.#options;
    try {
      // Only one of several senders reports it.
      if (!(await destinations.disable(id, reason, signal))) return;
      log.warn({ destination: id, client }, `a destination is disabled: ${reason}`);
      const said = { destination: id, client_id: client, reason, at: new Date().toISOString() };
      nc.publish(operatorSubject("destination_disabled"), JSON.stringify(said));
    } catch (err) {
      log.warn({ err, destination: id }, "a destination cannot be disabled now");
    }
  }
}

/** What is wrong with a destination, for the operator; undefined where nothing is. */
export function warningOf({
  id,
  client,
  enabled,
  failingSince,
  disabledReason,
}: Destination): string | undefined {
  const name = `Destination ${id} of ${client}`;
  if (disabledReason !== null)
    return `${name} is disabled: ${disabledReason} Tell the client; what comes meanwhile is kept for it.`;
  if (enabled && failingSince !== null)
    return `${name} has only failed since ${failingSince.toISOString().slice(0, 19)}Z. Its answers: npm run deliveries -- list --destination ${id}`;
  return undefined;
}
