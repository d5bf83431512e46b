import { JetStreamApiError, type JetStreamClient } from "@nats-io/jetstream";
import { type KV, Kvm } from "@nats-io/kv";

export interface BucketOptions {
  readonly replicas: number;
  /** How long an entry stays, in ms; the server may take a second or so longer. */
  readonly ttl: number;
  readonly maxBytes: number;
}

const streamNameInUse = 10058;

/**
 * Opens a KV bucket; makes it when it is missing, and brings it to `replicas` when it has another number. Any number of
 * processes may do so at once. Rejects when it cannot be done.
 */
export async function openBucket(js: JetStreamClient, name: string, options: BucketOptions): Promise<KV> {
  const { replicas, ttl, maxBytes } = options;
  const kvm = new Kvm(js);
  const create = () =>
    kvm.create(name, {
      replicas,
      history: 1,
      ttl,
      max_bytes: maxBytes,
      // A direct read may be answered by a replica that is behind, and would miss what another process has just put.
      allow_direct: false,
    });
  const kv = await create().catch((error: unknown) => {
    // Another process with other settings was faster; its bucket is there now.
    if (error instanceof JetStreamApiError && error.code === streamNameInUse) return create();
    throw error;
  });
  const { streamInfo } = await kv.status();
  const { name: stream, num_replicas } = streamInfo.config;
  if (num_replicas === replicas) return kv;
  // 2.9 and 2.10 accept the update also outside of a cluster, and then claim replicas that do not exist.
  if (streamInfo.cluster?.name === undefined && replicas > 1) {
    throw new Error(
      `the bucket ${name} cannot have ${replicas} replicas: the NATS server is not in a cluster`,
    );
  }
  const jsm = await js.jetstreamManager();
  await jsm.streams.update(stream, { num_replicas: replicas }).catch(async (error: unknown) => {
    // Of several who ask for it at once most get no answer, although it is done.
    const { config } = await jsm.streams.info(stream);
    if (config.num_replicas !== replicas) throw error;
  });
  return kv;
}
