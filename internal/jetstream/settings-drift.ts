import {
  type ConsumerConfig,
  type ConsumerInfo,
  PersistMode,
  type StreamConfig,
  type StreamInfo,
} from "@nats-io/jetstream";
import { millis, nanos } from "nats";
import { duplicateWindowMs, type StreamSettings } from "./topology.ts";

/** What a difference leads to, by setting, where the difference alone does not tell. */
const consequences: { readonly [K in keyof StreamConfig | keyof ConsumerConfig]?: string } = {
  storage: "a restart of the broker loses what it holds",
  no_ack: "nobody who publishes to it knows whether it is stored",
  max_msgs_per_subject: "it drops all but the last of each subject",
  ack_policy: "a crash of its reader loses what it was given",
  deliver_policy: "it misses what was there before it",
  max_deliver: "an outage strands events for which no lag is shown",
  backoff: "its ack_wait does not count",
  inactive_threshold: "it is forgotten while nobody reads it, and then begins with the oldest message",
  headers_only: "it delivers no payloads",
};

/** Settings in nanoseconds, shown in seconds. */
const durations: readonly string[] = ["max_age", "ack_wait", "inactive_threshold"];
/** Settings that an update cannot change. */
const fixed: readonly string[] = ["storage", "retention", "ack_policy", "deliver_policy"];

interface Advice {
  readonly restart: string;
  readonly anew: string;
}

/**
 * What is wrong with a stream as the broker has it: one sentence each, with the next move.
 * @param asked what the stream was created with; where the broker reports another value, it ignored ours or somebody changed it
 */
export function streamDrift(
  asked: StreamSettings,
  { config, cluster, state }: StreamInfo,
  serverVersion: string,
): readonly string[] {
  const { name, duplicate_window: windowAsked = 0, num_replicas: wanted = 1, ...generic } = asked;
  const what = `stream ${name}`;
  const restart = `restart an enricher; if that does not help, upgrade nats-server ${serverVersion}`;
  const anew = `once what it holds is no longer needed, delete it (nats stream rm ${name}) and restart an enricher`;
  const found = [...differences(what, generic, config, { restart, anew })];
  if (config.persist_mode === PersistMode.Async)
    found.push(
      `${what} has persist_mode async, so a crash of the broker loses messages it has acknowledged: ${anew}`,
    );

  // More than a stream could hold in a lifetime: 2.9 takes a mark of deleted messages, in bit 62, for a part of the number.
  if (state.last_seq > Number.MAX_SAFE_INTEGER)
    found.push(
      `${what} was damaged by a nats-server before 2.10 that ran on what a newer one had stored, and delivers no more: ${anew}`,
    );

  const windowMs = millis(config.duplicate_window);
  const isDoor = windowAsked === nanos(duplicateWindowMs.raw);
  if (isDoor && windowMs > duplicateWindowMs.raw)
    found.push(
      `${what} remembers for ${windowMs / 1000} s the message ids that producers choose, so one client can make the events of another vanish: ${restart}`,
    );
  if (!isDoor && windowMs < Math.max(millis(windowAsked), duplicateWindowMs.others))
    found.push(
      `${what} forgets message ids after ${windowMs / 1000} s, so what comes again later is stored twice: ${
        windowMs < millis(windowAsked)
          ? restart
          : `let it keep and remember messages for at least ${duplicateWindowMs.others / 60_000}m`
      }`,
    );

  const copies = cluster?.name === undefined ? 1 : 1 + (cluster.replicas?.length ?? 0);
  if (Math.min(copies, config.num_replicas) < wanted)
    found.push(
      copies < config.num_replicas
        ? `${what} claims ${config.num_replicas} replicas and has ${copies}: this nats-server (${serverVersion}) is not in a cluster of that size; add its nodes or lower NATS_REPLICAS`
        : `${what} has ${config.num_replicas} of ${wanted} replicas: ${restart}`,
    );
  return found;
}

/** As `streamDrift`, of a durable consumer. */
export function durableDrift(
  asked: ConsumerConfig,
  { config, paused, stream_name: stream, name }: ConsumerInfo,
  serverVersion: string,
): readonly string[] {
  const what = `consumer ${name} of ${stream}`;
  const anew = `delete it (nats consumer rm ${stream} ${name}); it is made anew and begins with the oldest message`;
  const restart = `restart a service that reads it; if that does not help, upgrade nats-server ${serverVersion}`;
  const reported: ConsumerConfig = { durable_name: name, ...config };
  // A recreated consumer starts where the old one stopped.
  if (config.deliver_policy === "by_start_sequence" && asked.deliver_policy !== undefined)
    reported.deliver_policy = asked.deliver_policy;
  // With a back-off, the broker reports its first pause as ack_wait.
  if (config.backoff?.length && asked.ack_wait !== undefined) reported.ack_wait = asked.ack_wait;
  const found = [...differences(what, asked, reported, { restart, anew })];
  if (config.mem_storage === true)
    found.push(`${what} is kept in memory, so a restart of the broker delivers everything again: ${anew}`);
  if (config.deliver_subject !== undefined)
    found.push(`${what} pushes to ${config.deliver_subject} and cannot be pulled from: ${anew}`);
  if (paused === true)
    found.push(
      `${what} is paused until ${config.pause_until}, events wait: nats consumer resume ${stream} ${name}`,
    );
  return found;
}

function* differences<C extends Partial<StreamConfig> | ConsumerConfig>(
  what: string,
  asked: C,
  found: C,
  { restart, anew }: Advice,
): Generator<string> {
  for (const key of Object.keys(asked) as (keyof C & keyof typeof consequences)[]) {
    // Only people read a description.
    if (key === "description" || shown(key, asked[key]) === shown(key, found[key])) continue;
    const consequence = consequences[key];
    yield `${what} has ${key} ${shown(key, found[key])} where ${shown(key, asked[key])} was asked for${
      consequence === undefined ? "" : `, so ${consequence}`
    }: ${fixed.includes(key) ? anew : restart}`;
  }
}

/** A value as text. Servers leave out what is off, or report it as 0, -1 or an empty list. */
function shown(key: string, value: unknown): string {
  const isOff = value === undefined || value === false || value === 0 || value === -1;
  if (isOff || (Array.isArray(value) && value.length === 0)) return "none";
  return durations.includes(key) ? `${millis(Number(value)) / 1000} s` : JSON.stringify(value);
}
