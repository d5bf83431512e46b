import { randomUUID } from "node:crypto";
import { Queue, Worker } from "bullmq";
import { perSecond, rawPayloads } from "../publishing.ts";

/** Concurrent jobs of one worker: the fastest number tried. */
const concurrency = 100;
const stages = ["raw", "priced", "profiled", "final"];

/**
 * Events per second from a filled queue through three workers. Each adds the job to the next queue before it completes its
 * own. Completed jobs are removed from Redis.
 */
export async function bullmqSpeed(url: string, count: number): Promise<number> {
  const prefix = `croupier-bench-${randomUUID()}`;
  const { hostname, port, username, password, pathname } = new URL(url);
  const connection = {
    ...{ host: hostname, port: Number(port || 6379), db: Number(pathname.slice(1) || 0) },
    ...(username === "" ? {} : { username }),
    ...(password === "" ? {} : { password: decodeURIComponent(password) }),
    // BullMQ requires this of workers.
    maxRetriesPerRequest: null,
  };
  const queues = stages.map((stage) => new Queue(stage, { connection, prefix }));
  const options = { removeOnComplete: true, removeOnFail: true };
  const payloads = rawPayloads(count).map(String);
  for (let from = 0; from < count; from += 1_000)
    await queues[0]?.addBulk(
      payloads.slice(from, from + 1_000).map((data) => ({ name: "event", data, opts: options })),
    );

  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let finished = 0;
  const started = performance.now();
  const workers = stages.slice(0, -1).map((stage, index) => {
    const isLast = index === stages.length - 2;
    const forward = async ({ data }: { readonly data: string }) => {
      await queues[index + 1]?.add("event", data, options);
      if (isLast && ++finished === count) resolve();
    };
    const worker = new Worker(stage, forward, { connection, prefix, concurrency });
    return worker.on("error", reject).on("failed", (_job, err) => reject(err));
  });
  try {
    await promise;
    return perSecond(count, started);
  } finally {
    await Promise.all(workers.map((worker) => worker.close()));
    for (const queue of queues) {
      await queue.obliterate({ force: true });
      await queue.close();
    }
  }
}
