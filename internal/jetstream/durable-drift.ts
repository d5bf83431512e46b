import type { ConsumerConfig, ConsumerInfo } from "@nats-io/jetstream";
import { millis } from "nats";

/**
 * What is wrong with a durable consumer as the broker has it: one sentence each, with the next move.
 * @param asked what the consumer was created with; where the broker reports another value, it ignored ours or
 * somebody changed it
 */
export function durableDrift(
  asked: ConsumerConfig,
  found: ConsumerInfo,
  serverVersion: string,
): readonly string[] {
  const { config } = found;
  const { stream_name: stream, name } = found;
  const restart = `restart a service that reads it, which sets it right`;
  const anew = `delete it (nats consumer rm ${stream} ${name}); it is made anew and begins with the oldest message`;
  const warnings: string[] = [];
  // Only people read it.
  const explained = new Set<keyof ConsumerConfig>(["description"]);
  const judge = (key: keyof ConsumerConfig, isWrong: boolean, says: string) => {
    explained.add(key);
    if (isWrong) warnings.push(`consumer ${name} of ${stream} ${says}`);
  };

  judge(
    "ack_policy",
    config.ack_policy !== "explicit",
    `does not wait for each event's acknowledgement (ack ${config.ack_policy}), so a crash of its reader loses what it was given: ${anew}`,
  );
  judge(
    "deliver_policy",
    // A recreated consumer starts where the old one stopped.
    config.deliver_policy !== "all" && config.deliver_policy !== "by_start_sequence",
    `did not begin with the oldest message (deliver ${config.deliver_policy}), so it misses what was there before it: ${anew}`,
  );
  judge(
    "max_deliver",
    (config.max_deliver ?? -1) > 0,
    `gives up after ${config.max_deliver} deliveries, so an outage strands events for which no lag is shown: ${restart}`,
  );
  // With a back-off, the broker reports its first pause as ack_wait.
  const hasBackoff = (config.backoff?.length ?? 0) > 0;
  judge("backoff", hasBackoff, `has a backoff, which replaces its ack_wait: ${restart}`);
  const wait = asked.ack_wait ?? 0;
  judge(
    "ack_wait",
    !hasBackoff && config.ack_wait !== wait,
    `delivers again after ${millis(config.ack_wait ?? 0) / 1000} s instead of ${millis(wait) / 1000} s (ack_wait): ${restart}`,
  );
  judge(
    "inactive_threshold",
    (config.inactive_threshold ?? 0) > 0,
    `is forgotten when nobody reads it for ${millis(config.inactive_threshold ?? 0) / 1000} s, and then begins with the oldest message: ${restart}`,
  );
  judge("headers_only", config.headers_only === true, `delivers no payloads (headers_only): ${restart}`);
  judge(
    "mem_storage",
    config.mem_storage === true,
    `keeps what was acknowledged in memory, so a restart of the broker delivers everything again: ${anew}`,
  );
  judge(
    "deliver_subject",
    config.deliver_subject !== undefined,
    `pushes to ${config.deliver_subject} and cannot be pulled from: ${anew}`,
  );
  judge(
    "pause_until",
    found.paused === true,
    `is paused until ${config.pause_until}, events wait: nats consumer resume ${stream} ${name}`,
  );

  const reported = { ...config, durable_name: config.durable_name ?? name };
  for (const key of Object.keys(asked) as (keyof ConsumerConfig)[]) // its own keys
    if (!explained.has(key) && JSON.stringify(reported[key]) !== JSON.stringify(asked[key]))
      judge(
        key,
        true,
        `has ${key} ${JSON.stringify(reported[key])} where ${JSON.stringify(asked[key])} was asked for: nats-server ${serverVersion} is too old for it, or somebody changed it; ${restart}, and if that does not help, upgrade the server`,
      );
  return warnings;
}
