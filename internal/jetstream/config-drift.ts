import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { errors, type NatsConnection } from "nats";
import { materializedSubject } from "../messages/subjects.ts";
import type { ConfigDrift } from "../service/config-drift.ts";
import { consumerNotFound, hasCode, streamNotFound } from "./api-error.ts";
import { type Durable, durableConfig } from "./durable.ts";
import { durableDrift, streamDrift } from "./settings-drift.ts";
import type { StreamSettings } from "./topology.ts";

/** What the broker should have. */
export interface Wanted {
  readonly streams: readonly StreamSettings[];
  readonly durables: readonly Durable[];
}

/**
 * Finds settings of the broker that do no harm until the day they matter: reads streams, consumers and account limits
 * back and compares them with what was asked for.
 *
 * A client sees neither where the server keeps its files nor when it syncs them: only the monitoring port tells.
 * @throws when the broker is away
 */
export async function findDrift(nc: NatsConnection, { streams, durables }: Wanted): Promise<ConfigDrift> {
  const jsm = await jetstreamManager(nc, { checkAPI: false });
  const version = nc.info?.version ?? "unknown";
  const looks: (readonly [what: string, look: () => Promise<readonly string[]>])[] = [
    ...streams.map(
      (asked) =>
        [
          `stream ${asked.name}`,
          async () => streamDrift(asked, await jsm.streams.info(asked.name), version),
        ] as const,
    ),
    ...durables.map(
      (durable) =>
        [
          `consumer ${durable.name} of ${durable.stream}`,
          async () =>
            durableDrift(
              durableConfig(durable),
              await jsm.consumers.info(durable.stream, durable.name),
              version,
            ),
        ] as const,
    ),
  ];
  if (streams.length > 0)
    looks.push(
      ["the streams' subjects", () => capturedRequests(jsm)],
      ["the account's limits", () => tightAccount(jsm, streams)],
      ["the server", async () => serverWarnings(version, nc.info?.cluster, streams)],
    );

  const found: string[] = [];
  const unseen: string[] = [];
  for (const [what, look] of looks) {
    try {
      found.push(...(await look()));
    } catch (err) {
      // Whoever needs them makes them.
      if (hasCode(err, [...streamNotFound, ...consumerNotFound])) continue;
      if (!(err instanceof Error && err.cause instanceof errors.PermissionViolationError)) throw err;
      unseen.push(`${what}: ${err.message}`);
    }
  }
  return { found, unseen };
}

/** A stream that captures a request's subject answers the request with a PubAck. */
async function capturedRequests(jsm: JetStreamManager): Promise<readonly string[]> {
  const warnings: string[] = [];
  for await (const name of jsm.streams.names(materializedSubject)) {
    // A stream that this user may not read counts as answering.
    const info = await jsm.streams.info(name).catch(() => undefined);
    if (info?.config.no_ack !== true)
      warnings.push(
        `stream ${name} takes ${materializedSubject}, so that whoever asks for the figures may get its PubAck for an answer: narrow its subjects`,
      );
  }
  return warnings;
}

/** A full account refuses messages that its streams still have room for. */
async function tightAccount(
  jsm: JetStreamManager,
  streams: readonly StreamSettings[],
): Promise<readonly string[]> {
  const account = await jsm.getAccountInfo();
  const replicas = streams[0]?.num_replicas ?? 1;
  const tier = account.tiers?.[`R${replicas}`];
  const limit = (tier ?? account).limits.max_storage;
  // A tier counts each message once, however many replicas it has (nats-server, jsAccount.wouldExceedLimits).
  const copies = tier === undefined ? replicas : 1;
  const needed = streams.reduce((sum, { max_bytes = 0 }) => sum + max_bytes, 0) * copies;
  if (limit < 0 || needed <= limit) return [];
  return [
    `the account may store ${limit} bytes and the streams' limits add up to ${needed}, so that they are refused messages before they are full: raise the account's limit or lower EVENTS_MAX_BYTES and QUEUE_MAX_BYTES`,
  ];
}

/** What the server's version and cluster alone tell. */
export function serverWarnings(
  version: string,
  cluster: string | undefined,
  streams: readonly StreamSettings[],
): readonly string[] {
  if (cluster === undefined) return [];
  const warnings: string[] = [];
  if (streams.some(({ num_replicas = 1 }) => num_replicas === 1))
    warnings.push(
      `the broker is a cluster (${cluster}), yet each stream lies on one of its nodes only: set NATS_REPLICAS=3`,
    );
  if (/^2\.10\.2[0-2]\b/.test(version))
    warnings.push(
      `nats-server ${version} can lose whole streams of a cluster when its processes crash: upgrade to 2.10.23 or newer`,
    );
  if (/^2\.9\./.test(version))
    warnings.push(
      `nats-server ${version} can stop delivering from a cluster when one of its processes is killed: upgrade to 2.10.23 or newer`,
    );
  return warnings;
}
