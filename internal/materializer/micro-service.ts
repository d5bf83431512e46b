import type { Msg, NatsConnection } from "nats";

/** What tools such as `nats micro ls` are told about a service with one endpoint. */
export interface MicroServiceIdentity {
  /** Letters, digits, hyphens and underscores. */
  readonly name: string;
  /** Unique among the running instances. */
  readonly id: string;
  /** A semantic version. */
  readonly version: string;
  readonly description: string;
  readonly endpoint: { readonly name: string; readonly subject: string; readonly queueGroup: string };
}

/** Counts of one endpoint since it started. Times are nanoseconds, as the protocol wants them. */
export class EndpointStats {
  readonly #started = new Date().toISOString();
  #requests = 0;
  #errors = 0;
  #lastError: string | undefined;
  #processingTime = 0;
  readonly #data: () => object | undefined;

  /** @param data what the service itself has to tell of the endpoint */
  constructor(data: () => object | undefined = () => undefined) {
    this.#data = data;
  }

  /** @param ms how long the request took; @param error its failure, if it failed */
  count(ms: number, error?: string): void {
    this.#requests++;
    this.#processingTime += Math.round(ms * 1_000_000);
    if (error === undefined) return;
    this.#errors++;
    this.#lastError = error;
  }

  get started(): string {
    return this.#started;
  }

  toJSON() {
    const data = this.#data();
    return {
      num_requests: this.#requests,
      num_errors: this.#errors,
      ...(this.#lastError === undefined ? {} : { last_error: this.#lastError }),
      processing_time: this.#processingTime,
      average_processing_time: this.#requests === 0 ? 0 : Math.round(this.#processingTime / this.#requests),
      ...(data === undefined ? {} : { data }),
    };
  }
}

/**
 * Answers the discovery requests of the NATS micro protocol (ADR-32 of nats-architecture-and-design): PING, INFO and
 * STATS, each to all services, to those of this name and to this instance. By hand, because @nats-io/services exists
 * only as a prerelease that brings a NATS core of its own.
 * @returns ends the answering
 */
export function answerDiscovery(
  nc: NatsConnection,
  identity: MicroServiceIdentity,
  stats: EndpointStats,
  onError: (error: Error) => void,
): () => void {
  const { name, id, version, description, endpoint } = identity;
  const { subject, queueGroup: queue_group } = endpoint;
  const place = { name: endpoint.name, subject, queue_group };
  const common = { name, id, version, metadata: {} };
  const answers = {
    PING: () => ({ type: "io.nats.micro.v1.ping_response", ...common }),
    INFO: () => ({
      type: "io.nats.micro.v1.info_response",
      ...common,
      description,
      endpoints: [{ ...place, metadata: {} }],
    }),
    STATS: () => ({
      type: "io.nats.micro.v1.stats_response",
      ...common,
      started: stats.started,
      endpoints: [{ ...place, ...stats.toJSON() }],
    }),
  };
  const subscriptions = Object.entries(answers).flatMap(([verb, body]) => {
    const callback = (error: Error | null, request: Msg): void => {
      if (error) onError(error);
      else request.respond(JSON.stringify(body()));
    };
    // No queue group: each instance answers for itself.
    return [verb, `${verb}.${name}`, `${verb}.${name}.${id}`].map((tail) =>
      nc.subscribe(`$SRV.${tail}`, { callback }),
    );
  });
  return () => {
    for (const subscription of subscriptions) subscription.unsubscribe();
  };
}
