import type { Msg, NatsConnection } from "nats";

/** An endpoint in `nats micro stats`. Times are nanoseconds, as the protocol requires. */
export interface EndpointFigures {
  readonly num_requests: number;
  readonly num_errors: number;
  readonly last_error?: string;
  readonly processing_time: number;
  readonly average_processing_time: number;
  /** The service's own data about it. */
  readonly data?: object;
}

export interface Endpoint {
  readonly name: string;
  readonly subject: string;
  readonly queueGroup: string;
  /** Counts since the service started. */
  readonly figures: () => EndpointFigures;
}

/** A service's description for tools such as `nats micro ls`. */
interface DiscoveredService {
  /** Letters, digits, hyphens and underscores. */
  readonly name: string;
  /** Unique among the running instances. */
  readonly id: string;
  readonly version: string;
  readonly description: string;
  readonly endpoints: readonly Endpoint[];
}

/** Subjects to which answers may go: the usual inboxes, and that of `prove`, which awaits no PubAck. */
const isInbox = (subject = "") => /^_INBOX(_prove)?\./.test(subject);

/**
 * Answers the discovery requests of the NATS micro protocol (ADR-32 of nats-architecture-and-design): PING, INFO and
 * STATS, each to all services, to those of this name and to this instance.
 *
 * We do not use @nats-io/services: it is a prerelease with its own NATS core, and it answers to any reply subject. The
 * requester chooses the reply subject, and a service may publish where others may not: an answer to
 * `$JS.API.CONSUMER.DELETE.…` or to a client's events would do harm in the service's name. So only inboxes are
 * answered.
 * @returns a function that ends the answering
 */
export function answerDiscovery(
  nc: NatsConnection,
  { name, id, version, description, endpoints }: DiscoveredService,
  onError: (error: Error) => void,
): () => void {
  const started = new Date().toISOString();
  const common = { name, id, version, metadata: {} };
  const place = ({ name, subject, queueGroup: queue_group }: Endpoint) => ({ name, subject, queue_group });
  const answers = {
    PING: () => ({ type: "io.nats.micro.v1.ping_response", ...common }),
    INFO: () => ({
      type: "io.nats.micro.v1.info_response",
      ...common,
      description,
      endpoints: endpoints.map((endpoint) => ({ ...place(endpoint), metadata: {} })),
    }),
    STATS: () => ({
      type: "io.nats.micro.v1.stats_response",
      ...common,
      started,
      endpoints: endpoints.map((endpoint) => ({ ...place(endpoint), ...endpoint.figures() })),
    }),
  };
  const subscriptions = Object.entries(answers).flatMap(([verb, body]) => {
    const callback = (error: Error | null, request: Msg): void => {
      if (error) onError(error);
      else if (isInbox(request.reply)) request.respond(JSON.stringify(body()));
    };
    // No queue group: each instance answers for itself.
    return [verb, `${verb}.${name}`, `${verb}.${name}.${id}`].map((tail) =>
      nc.subscribe(`$SRV.${tail}`, { callback }),
    );
  });
  return () => {
    if (!nc.isClosed()) for (const subscription of subscriptions) subscription.unsubscribe();
  };
}
