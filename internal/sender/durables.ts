import type { Durable } from "../jetstream/durable.ts";
import {
  finalStage,
  retryDurable,
  retryStream,
  retrySubject,
  senderName,
  stageStream,
  stageSubject,
} from "../messages/subjects.ts";
import type { Destination } from "../webhooks/destination.ts";

/** The destination's durable consumer of the log. */
export function logDurable({
  id,
  client,
  createdAt,
}: Pick<Destination, "id" | "client" | "createdAt">): Durable {
  return {
    stream: stageStream(finalStage),
    name: senderName(id),
    description: `webhooks of destination ${id} of ${client}`,
    filter: stageSubject(finalStage, client, "*"),
    maxAckPending: 10_000,
    beginsAt: createdAt.getTime(),
    repeated: "delivered again",
  };
}

/**
 * The destination's durable consumer of CASINO_RETRY, so that another's waiting events do not fill its max_ack_pending.
 */
export function waitingDurable(id: string): Durable {
  return {
    stream: retryStream,
    name: retryDurable(id),
    description: `webhooks of destination ${id} that wait for their next attempt`,
    filter: retrySubject(id),
    maxAckPending: 50_000,
  };
}
