import type { JetStreamClient } from "@nats-io/jetstream";
import { type KV, Kvm } from "@nats-io/kv";
import { hasCode, nameInUse, subjectsTaken } from "./api-error.ts";

export interface BucketOptions {
  /** Shown by `nats kv ls`. */
  readonly description: string;
  readonly replicas: number;
  /** How long an entry stays, in ms; the server may take a second or so longer. 0 = forever. */
  readonly ttl: number;
  readonly maxBytes: number;
}

/**
 * Opens a KV bucket. Creates it when it is missing, and updates `replicas` and `description` when they differ. Any
 * number of processes may do so at once. Rejects when it cannot be done.
 */
export async function openBucket(js: JetStreamClient, name: string, options: BucketOptions): Promise<KV> {
  const { description, replicas, ttl, maxBytes } = options;
  const kvm = new Kvm(js);
  const create = () =>
    kvm.create(name, {
      description,
      replicas,
      history: 1,
      ttl,
      max_bytes: maxBytes,
      // A replica that is behind may answer a direct read, and would miss what another process has just put.
      allow_direct: false,
    });
  const kv = await create().catch((error: unknown) => {
    // Another process was faster: its bucket exists now, with other settings or created at the same moment.
    if (hasCode(error, [...nameInUse, ...subjectsTaken])) return create();
    throw error;
  });
  const { streamInfo } = await kv.status();
  const { name: stream, num_replicas } = streamInfo.config;
  const jsm = await js.jetstreamManager();
  if (num_replicas === replicas) {
    // A description is not worth failing for.
    if (streamInfo.config.description !== description)
      await jsm.streams.update(stream, { description }).catch(() => undefined);
    return kv;
  }
  // Outside a cluster 2.9 and 2.10 accept the update too, and then report replicas that do not exist.
  if (streamInfo.cluster?.name === undefined && replicas > 1) {
    throw new Error(
      `the bucket ${name} cannot have ${replicas} replicas: the NATS server is not in a cluster`,
    );
  }
  await jsm.streams.update(stream, { num_replicas: replicas, description }).catch(async (error: unknown) => {
    // When several processes ask at once, most get no answer although it is done.
    const { config } = await jsm.streams.info(stream);
    if (config.num_replicas !== replicas) throw error;
  });
  return kv;
}
