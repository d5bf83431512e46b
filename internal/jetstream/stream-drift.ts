import { PersistMode, type StreamConfig, type StreamInfo } from "@nats-io/jetstream";
import { millis, nanos } from "nats";
import { duplicateWindowMs, type StreamSettings } from "./topology.ts";

const settable = "the next enricher to start sets it right";

/**
 * What is wrong with a stream as the broker has it: one sentence each, with the next move.
 * @param asked what the stream was created with; where the broker reports another value, it ignored ours or somebody
 * changed it
 */
export function streamDrift(
  asked: StreamSettings,
  found: StreamInfo,
  serverVersion: string,
): readonly string[] {
  const { config, cluster } = found;
  const isQueue = asked.retention === "workqueue";
  const warnings: string[] = [];
  // Only people read it.
  const explained = new Set<keyof StreamConfig>(["description"]);
  const judge = (key: keyof StreamConfig, isWrong: boolean, says: string) => {
    explained.add(key);
    if (isWrong) warnings.push(`stream ${asked.name} ${says}`);
  };

  judge(
    "storage",
    config.storage !== asked.storage,
    `is kept in memory, so a restart of the broker loses what it holds: once that is no longer needed, delete the stream (nats stream rm ${asked.name}) and restart an enricher, which makes it on disk`,
  );
  judge(
    "retention",
    config.retention !== asked.retention,
    `retains by ${config.retention} instead of ${asked.retention}: once what it holds is no longer needed, delete it (nats stream rm ${asked.name}) and restart an enricher, which makes it anew`,
  );
  judge(
    "discard",
    config.discard !== asked.discard,
    isQueue
      ? `drops its oldest messages when it is full instead of refusing new ones (discard old): ${settable}`
      : `refuses new messages when it is full instead of dropping its oldest (discard new): ${settable}`,
  );
  judge(
    "max_age",
    config.max_age !== asked.max_age,
    isQueue
      ? `drops what has waited for ${seconds(config.max_age)}, so a longer outage loses events: ${settable}`
      : `keeps messages for ${seconds(config.max_age)} instead of ${seconds(asked.max_age)}: ${settable}`,
  );
  judge(
    "max_msgs_per_subject",
    config.max_msgs_per_subject > 0,
    `keeps only the last ${config.max_msgs_per_subject} of each subject and drops the others: ${settable}`,
  );
  judge(
    "no_ack",
    config.no_ack === true,
    `acknowledges nothing, so that nobody who publishes to it knows whether it is stored: ${settable}`,
  );
  judge(
    "persist_mode",
    config.persist_mode === PersistMode.Async,
    `acknowledges messages before they are written (persist_mode async), so a crash of the broker loses them: once what it holds is no longer needed, delete it (nats stream rm ${asked.name}) and restart an enricher, which makes it anew`,
  );
  if (asked.duplicate_window === nanos(duplicateWindowMs.raw))
    judge(
      "duplicate_window",
      millis(config.duplicate_window) > duplicateWindowMs.raw,
      `remembers for ${seconds(config.duplicate_window)} the message ids that producers choose, so that one client can make the events of another vanish: ${settable}`,
    );
  else {
    const isAsAsked = millis(config.duplicate_window) >= millis(asked.duplicate_window ?? 0);
    judge(
      "duplicate_window",
      !isAsAsked || millis(config.duplicate_window) < duplicateWindowMs.others,
      `forgets message ids after ${seconds(config.duplicate_window)}, so that what comes again later than that is stored twice: ${
        isAsAsked
          ? `let it keep and remember messages for at least ${duplicateWindowMs.others / 60_000}m`
          : settable
      }`,
    );
  }
  const copies = cluster?.name === undefined ? 1 : 1 + (cluster.replicas?.length ?? 0);
  const wanted = asked.num_replicas ?? 1;
  judge(
    "num_replicas",
    Math.min(copies, config.num_replicas) < wanted,
    copies < config.num_replicas
      ? `claims ${config.num_replicas} replicas and has ${copies}: this nats-server (${serverVersion}) is not in a cluster of that size; add its nodes or lower NATS_REPLICAS`
      : `has ${config.num_replicas} of ${wanted} replicas: ${settable}`,
  );

  for (const key of Object.keys(asked) as (keyof StreamConfig)[]) // its own keys
    if (!explained.has(key) && JSON.stringify(config[key]) !== JSON.stringify(asked[key]))
      judge(
        key,
        true,
        `has ${key} ${JSON.stringify(config[key])} where ${JSON.stringify(asked[key])} was asked for: nats-server ${serverVersion} is too old for it, or somebody changed it; restart an enricher, and if that does not help, upgrade the server`,
      );
  return warnings;
}

const seconds = (nanoseconds = 0): string => `${millis(nanoseconds) / 1000} s`;
