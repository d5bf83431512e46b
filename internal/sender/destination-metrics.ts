import type { NatsConnection } from "nats";
import { undefinedIfMissing } from "../jetstream/api.ts";
import { consumerOf } from "../jetstream/consumer-state.ts";
import { finalStage, retryDurable, retryStream, senderName, stageStream } from "../messages/subjects.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Sender } from "./sender.ts";

/** Metrics of the destinations. Every sender reports all of them: take the maximum over senders, not the sum. */
export function addDestinations(metrics: Metrics, sender: Sender, nc: NatsConnection): void {
  metrics.gauge(
    "croupier_destination_disabled",
    "Whether a destination was disabled because its receiver failed for too long, or wants no more calls: 1, or 0.",
    () =>
      sender.destinations.map(({ id, client, disabledReason }) => ({
        labels: { destination: id, client },
        value: disabledReason === null ? 0 : 1,
      })),
  );
  metrics.gauge(
    "croupier_destination_failing_seconds",
    "For how long all calls to a destination have failed; 0 when they succeed.",
    () =>
      sender.destinations.map(({ id, client, enabled, failingSince }) => ({
        labels: { destination: id, client },
        value:
          !enabled || failingSince === null ? 0 : Math.max(0, Date.now() - failingSince.getTime()) / 1_000,
      })),
  );
  metrics.gauge(
    "croupier_destination_waiting_messages",
    "Messages that wait for a destination: in the log, of all types of its client's events, and for their next attempt.",
    () =>
      Promise.all(
        sender.destinations.map(async ({ id, client }) => ({
          labels: { destination: id, client },
          value:
            (await unsettled(nc, stageStream(finalStage), senderName(id))) +
            (await unsettled(nc, retryStream, retryDurable(id))),
        })),
      ),
  );
}

/** A consumer's messages; 0 if the consumer does not exist. */
async function unsettled(nc: NatsConnection, stream: string, consumer: string): Promise<number> {
  const state = await consumerOf(nc, stream, consumer).catch(undefinedIfMissing);
  return state === undefined ? 0 : state.pending + state.unacknowledged;
}
