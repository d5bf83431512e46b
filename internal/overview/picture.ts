import { apartDurable, apartStream, finalStage, stageStream } from "../messages/subjects.ts";
import type { WorkStatus } from "../telemetry/status.ts";
import type { Layout, Queue, Queues } from "./queues.ts";
import type { Instance } from "./status-board.ts";

/**
 * The state of a part of the pipeline: `down` when no instance reports, `silent` when one has stopped reporting,
 * `unready` when one reports a problem.
 */
type Health = "up" | "unready" | "silent" | "down";

/** One part of the pipeline, with the sums of its instances. Snake case, because it is published as JSON. */
export type Part = ReturnType<typeof part>;

/** The pipeline at one moment. */
export type Picture = ReturnType<typeof buildPicture>;

/** Readers of final events: the service, the name of its work, and its durable if it has one. */
const readers = [
  { service: "materializer", work: "fold", durable: undefined },
  { service: "logger", work: "log", durable: "logger" },
  { service: "archiver", work: "archive", durable: "archiver" },
] as const;
const sender = { service: "sender", work: "deliver" } as const;
const gateway = { service: "gateway", work: "ingest" } as const;

/** Combines services' statuses and JetStream's data. @param queues undefined if JetStream was not asked */
export function buildPicture(
  layout: readonly Layout[],
  instances: readonly Instance[],
  queues: Queues | undefined,
) {
  const of = (service: string) => instances.filter(({ status }) => status.service === service);
  const queueOf = (stream: string, durable: string) =>
    queues?.durables.find((queue) => queue.stream === stream && queue.durable === durable);
  const steps = layout.map(({ name, takesFrom }) => {
    const doing = of("enricher").filter(({ status }) => name in status.work);
    const own: Part = part({ name, service: "enricher", work: name }, doing, [
      queueOf(stageStream(takesFrom), name),
    ]);
    const apart = queueOf(apartStream, apartDurable(name));
    return { ...own, apart: queues === undefined ? null : apart ? apart.waiting + apart.unacked : 0 };
  });
  const log = stageStream(finalStage);
  const reading = readers.map(({ service, work, durable }) =>
    part(
      { name: service, service, work },
      of(service),
      durable === undefined ? [] : [queueOf(log, durable)],
      service === "materializer" ? "each" : "shared",
    ),
  );
  const deliveries = queues?.durables.filter(({ durable }) => durable.startsWith("sender_")) ?? [];
  const sending =
    of(sender.service).length > 0 || deliveries.length > 0
      ? [part({ name: "sender", ...sender }, of(sender.service), deliveries)]
      : [];
  return {
    sources: [part({ name: "gateway", ...gateway }, of(gateway.service), [])],
    steps,
    readers: [...reading, ...sending],
    /** Final events per second. */
    rate: steps.at(-1)?.rate ?? 0,
    /** `max_bytes` is -1 for a stream without a limit. */
    streams: (queues?.streams ?? []).map(({ stream, messages, bytes, maxBytes }) => ({
      ...{ stream, messages, bytes },
      max_bytes: maxBytes || -1,
    })),
    /** Dead letters in the stream now. */
    letters: queues === undefined ? null : queues.letters.reduce((sum, { count }) => sum + count, 0),
  };
}

/** Messages that wait for a step, also apart; undefined if JetStream was not asked, or has no streams yet. */
export function waitingIn({ steps, streams }: Pick<Picture, "steps" | "streams">): number | undefined {
  if (streams.length === 0) return undefined;
  return steps.reduce((sum, { backlog, apart }) => sum + (backlog ?? 0) + (apart ?? 0), 0);
}

/** @param sharing whether instances share the events; otherwise each gets all of them */
function part(
  { name, service, work }: { readonly name: string; readonly service: string; readonly work: string },
  instances: readonly Instance[],
  queues: readonly (Queue | undefined)[],
  sharing: "shared" | "each" = "shared",
) {
  const live = instances.filter(({ isSilent }) => !isSilent);
  const works = live.flatMap(({ status }) => status.work[work] ?? []);
  const total = (of: (one: WorkStatus) => number) => works.reduce((sum, one) => sum + of(one), 0);
  const most = (of: (one: WorkStatus) => number) => Math.max(0, ...works.map(of));
  const count = sharing === "shared" ? total : most;
  const known = queues.filter((queue) => queue !== undefined);
  const queued = (of: (queue: Queue) => number) =>
    known.length === 0 ? null : known.reduce((sum, queue) => sum + of(queue), 0);
  return {
    name,
    service,
    health: healthOf(instances),
    problems: [...new Set(live.flatMap(({ status }) => status.problems))],
    warnings: [...new Set(live.flatMap(({ status }) => status.warnings))],
    rate: count(({ rate }) => rate),
    events: count(({ events }) => events),
    in_flight: total(({ in_flight }) => in_flight),
    redelivered: total(({ redelivered }) => redelivered),
    dead_letters: total(({ dead_letters }) => dead_letters),
    /** The slowest instance's; null if nothing was measured recently. */
    p50_ms: slowest(works.map(({ p50_ms }) => p50_ms)),
    p99_ms: slowest(works.map(({ p99_ms }) => p99_ms)),
    /** Waiting messages; null if it has no mailbox, or JetStream was not asked. */
    backlog: queued(({ waiting }) => waiting),
    unacked: queued(({ unacked }) => unacked),
    /** Events that wait in CASINO_APART, such as for a rate. */
    apart: null as number | null,
    instances: instances.map(({ status, isSilent, silentMs }) => ({
      instance: status.instance,
      host: status.host,
      pid: status.pid,
      version: status.version,
      started_at: status.started_at,
      ready: status.ready,
      silent: isSilent,
      silent_ms: Math.round(silentMs),
      cpu: status.cpu,
      rss: status.memory.rss,
      event_loop_p99_ms: status.event_loop_p99_ms,
      rate: isSilent ? 0 : (status.work[work]?.rate ?? 0),
    })),
  };
}

function slowest(times: readonly (number | null)[]): number | null {
  const known = times.filter((time) => time !== null);
  return known.length === 0 ? null : Math.max(...known);
}

function healthOf(instances: readonly Instance[]): Health {
  const live = instances.filter(({ isSilent }) => !isSilent);
  if (live.length === 0) return "down";
  if (live.length < instances.length) return "silent";
  return live.every(({ status }) => status.ready) ? "up" : "unready";
}
