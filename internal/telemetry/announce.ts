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
  /** Its name, which is also its user's on the bus: it may publish the status of no other. */
  readonly service: string;
  /** The checks and warnings of `/readyz`. */
  readonly checks: ReadyChecks;
  readonly warnings?: Warnings;
  readonly works: readonly WorkMeter[];
  readonly log: Log;
  /** Whether to answer as a NATS service too; default true. The materializer does that itself, for it has requests to answer. */
  readonly isDiscoverable?: boolean;
}

/**
 * Makes a service seen on the bus: its status once a second on `croupier.status.<service>.<instance>`, and as the NATS service
 * `casino-<service>`, whose endpoints are its works (`nats micro ls|info|stats`).
 * @returns ends it; to be called before the connection is closed
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

/** A step is asked by events on a subject, shared by its consumer: for requests the protocol has the same, and a queue group. */
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
