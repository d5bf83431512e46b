import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "nats";
import { connectNats, disconnect } from "../jetstream/connect.ts";
import { type StreamLimits, streamConfigs } from "../jetstream/topology.ts";
import type { Config } from "../service/config.ts";
import { reasonOf, withoutPassword } from "../service/log.ts";
import { isUnavailable, Refused } from "../service/unavailable.ts";
import { silent, untilThere, type Watcher } from "./attempt.ts";

/** The limits that are made to fit where nobody has set them. */
export type Fitted = Partial<Pick<StreamLimits, "EVENTS_MAX_BYTES" | "QUEUE_MAX_BYTES">>;

export interface NatsNeeds {
  readonly config: Config<"NATS_URL" | "NATS_CREDS">;
  readonly limits: StreamLimits;
  /** Whether somebody has set a limit in bytes: then it is not ours to lower. */
  readonly isSet: boolean;
  /** The stages whose streams are to be there. */
  readonly stages: readonly string[];
}

/** One attempt to connect takes this long at most, in ms: somebody sits before it. */
const attemptMs = 2_000;
/** Buckets and what else an account holds need some room too. */
const share = 0.95;
/** Below this a queue is full at once. */
const leastQueueBytes = 16 * 1024 * 1024;
const mib = 1024 * 1024;

/**
 * Tries a NATS: connects, asks for JetStream, and compares what its account offers with what the streams take.
 * @returns smaller limits where the usual ones do not fit and nobody has set them
 * @throws Refused for wrong credentials, a server without JetStream, or an account that is too small
 */
export async function tryNats(needs: NatsNeeds, watcher: Watcher): Promise<Fitted> {
  const where = `NATS at ${withoutPassword(needs.config.NATS_URL)}`;
  const nc = await untilThere(where, () => tryToConnect(needs.config, watcher.signal), watcher);
  try {
    return await limitsFor(nc, where, needs, watcher.say);
  } finally {
    await disconnect(nc);
  }
}

async function tryToConnect(
  config: Config<"NATS_URL" | "NATS_CREDS">,
  signal: AbortSignal,
): Promise<NatsConnection> {
  const patience = AbortSignal.timeout(attemptMs);
  try {
    return await connectNats("up", config, silent, AbortSignal.any([signal, patience]));
  } catch (err) {
    if (!isUnavailable(err) && patience.aborted)
      throw new Error("no NATS answers there within 2 s: is it another kind of server?", { cause: err });
    throw err;
  }
}

async function limitsFor(
  nc: NatsConnection,
  where: string,
  { limits, isSet, stages }: NatsNeeds,
  say: Watcher["say"],
): Promise<Fitted> {
  const jsm = await jetstreamManager(nc, { checkAPI: false });
  const { limits: account } = await jsm.getAccountInfo().catch((err: unknown) => {
    const why = reasonOf(err);
    throw new Refused(
      `${where} gives no JetStream (${why}): start it with -js, and for an account of its own enable jetstream there`,
    );
  });
  if (account.max_storage < 0) return {};
  const bytesOf = (given: StreamLimits): number =>
    streamConfigs(stages, given, nc.info?.version ?? "").reduce(
      (sum, { max_bytes = 0 }) => sum + max_bytes * given.NATS_REPLICAS,
      0,
    );
  const room = account.max_storage - (await takenByOthers(jsm, stages, limits));
  const needed = bytesOf(limits);
  if (needed <= room) return {};
  const offers = `${where} offers its account ${shown(Math.max(0, room))} of storage, and the streams take ${shown(needed)}`;
  const factor = (room * share) / needed;
  const part = (bytes: number): number => Math.floor((bytes * factor) / mib) * mib;
  if (isSet || part(limits.QUEUE_MAX_BYTES) < leastQueueBytes)
    throw new Refused(
      `${offers}, ${shown(needed - room)} too much: lower EVENTS_MAX_BYTES and QUEUE_MAX_BYTES, or give the account more`,
    );
  const fitted = {
    EVENTS_MAX_BYTES: part(limits.EVENTS_MAX_BYTES),
    QUEUE_MAX_BYTES: part(limits.QUEUE_MAX_BYTES),
  };
  say(
    `${offers}: with EVENTS_MAX_BYTES=${shown(fitted.EVENTS_MAX_BYTES, "")} and QUEUE_MAX_BYTES=${shown(fitted.QUEUE_MAX_BYTES, "")} they fit`,
  );
  return fitted;
}

/** What streams that are not ours reserve in this account. */
async function takenByOthers(
  jsm: JetStreamManager,
  stages: readonly string[],
  limits: StreamLimits,
): Promise<number> {
  const ours = new Set(streamConfigs(stages, limits, "").map(({ name }) => name));
  let taken = 0;
  for await (const { config, state } of jsm.streams.list())
    if (!ours.has(config.name)) taken += Math.max(config.max_bytes, state.bytes, 0) * config.num_replicas;
  return taken;
}

function shown(bytes: number, gap = " "): string {
  return bytes >= 10 * 1024 * mib
    ? `${Math.round(bytes / (1024 * mib))}${gap}GiB`
    : `${Math.round(bytes / mib)}${gap}MiB`;
}
