import type { Msg, NatsConnection } from "nats";

/** What `nats micro stats` shows of an endpoint. Times are nanoseconds, as the protocol wants them. */
export interface EndpointFigures {
  readonly num_requests: number;
  readonly num_errors: number;
  readonly last_error?: string;
  readonly processing_time: number;
  readonly average_processing_time: number;
  /** What the service itself has to tell of it. */
  readonly data?: object;
}

export interface Endpoint {
  readonly name: string;
  readonly subject: string;
  readonly queueGroup: string;
  /** Counts since the service started. */
  readonly figures: () => EndpointFigures;
}

/** What tools such as `nats micro ls` are told about a service. */
export interface DiscoveredService {
  /** Letters, digits, hyphens and underscores. */
  readonly name: string;
  /** Unique among the running instances. */
  readonly id: string;
  /** A semantic version. */
  readonly version: string;
  readonly description: string;
  readonly endpoints: readonly Endpoint[];
}

/** Where answers may go: to inboxes of those who ask in the usual way, and of `prove`, which awaits no PubAck. */
const isInbox = (subject = "") => /^_INBOX(_prove)?\./.test(subject);

/**
 * Answers the discovery requests of the NATS micro protocol (ADR-32 of nats-architecture-and-design): PING, INFO and
 * STATS, each to all services, to those of this name and to this instance.
 *
 * By hand: @nats-io/services exists only as a prerelease that brings a NATS core of its own; and it answers wherever it is told to.
 * Whoever asks chooses where the answer goes, and a service may publish what others may not: aimed at
 * `$JS.API.CONSUMER.DELETE.…` or at a client's events, an answer would do harm in its name. So only inboxes are answered.
 * @returns ends the answering
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
