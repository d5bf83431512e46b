import type { NatsConnection } from "nats";
import manifest from "../../package.json" with { type: "json" };
import type { ReadyChecks, Warnings } from "../service/health.ts";
import { newInstanceName } from "../service/instance-name.ts";
import type { Log } from "../service/log.ts";
import { answerDiscovery, type Endpoint, type EndpointFigures } from "./discovery.ts";
import { StatusPublisher } from "./status-publisher.ts";
import type { WorkMeter } from "./work-meter.ts";

export interface AnnounceOptions {
  readonly nc: NatsConnection;
  /** The service's name, also that of its user on the bus, which may publish no other service's status. */
  readonly service: string;
  /** The checks and warnings of `/readyz`. */
  readonly checks: ReadyChecks;
  readonly warnings?: Warnings;
  readonly works: readonly WorkMeter[];
  readonly log: Log;
  /**
   * Whether to answer as a NATS service too; default true. The materializer does that itself, because it answers
   * requests.
   */
  readonly isDiscoverable?: boolean;
}

/**
 * Announces a service on the bus: publishes its status once a second on `croupier.status.<service>.<instance>`, and
 * answers as the NATS service `casino-<service>`, whose endpoints are its works (`nats micro ls|info|stats`).
 * @returns a function that ends it; call it before the connection is closed
 */
export function announce(options: AnnounceOptions): () => void {
  const { nc, service, works, log, isDiscoverable = true } = options;
  const instance = newInstanceName();
  const { version } = manifest;
  const status = new StatusPublisher({ ...options, instance, version });
  const endDiscovery = isDiscoverable
    ? answerDiscovery(
        nc,
        {
          name: `casino-${service}`,
          id: instance,
          version,
          description: `The ${service} of Croupier.`,
          endpoints: works.flatMap(endpointOf),
        },
        (err) => log.error({ err }, "NATS refuses a subscription of the service"),
      )
    : () => undefined;
  return () => {
    status.close();
    endDiscovery();
  };
}

/** Presents a step as an endpoint: its subject, and its consumer's name as the queue group. */
function endpointOf(meter: WorkMeter): readonly Endpoint[] {
  const { name, mailbox } = meter;
  if (mailbox === undefined) return [];
  const figures = (): EndpointFigures => {
    const nanoseconds = Math.round(meter.durations.sumSeconds * 1e9);
    return {
      num_requests: meter.events,
      num_errors: meter.deadLetters.values().reduce((sum, count) => sum + count, 0),
      processing_time: nanoseconds,
      average_processing_time: meter.events === 0 ? 0 : Math.round(nanoseconds / meter.events),
    };
  };
  return [{ name, subject: mailbox.filter, queueGroup: mailbox.name, figures }];
}
