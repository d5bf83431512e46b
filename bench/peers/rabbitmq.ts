import { randomUUID } from "node:crypto";
import { connect } from "amqplib";
import { perSecond, rawPayloads } from "../publishing.ts";

/** Unacknowledged messages that a step may hold. */
const prefetch = 1_000;
const stages = ["raw", "priced", "profiled", "final"];

/**
 * Events per second from a filled queue through three consumers. Each publishes the message to the next queue and
 * acknowledges its own once the broker has confirmed. Durable queues, persistent messages.
 */
export async function rabbitmqSpeed(url: string, count: number): Promise<number> {
  const prefix = `croupier-bench-${randomUUID()}`;
  const connection = await connect(url);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // Without a listener an error would end the process. The calls below fail too and report it.
  connection.on("error", reject);
  promise.catch(() => undefined);
  try {
    const channel = await connection.createConfirmChannel();
    await channel.prefetch(prefetch);
    const queues = stages.map((stage) => `${prefix}.${stage}`);
    for (const queue of queues) await channel.assertQueue(queue, { durable: true });
    try {
      for (const payload of rawPayloads(count))
        channel.sendToQueue(queues[0] ?? "", payload, { persistent: true });
      await channel.waitForConfirms();

      let finished = 0;
      const started = performance.now();
      for (const [index, queue] of queues.slice(0, -1).entries()) {
        const isLast = index === queues.length - 2;
        await channel.consume(queue, (message) => {
          if (message === null) return reject(new Error("RabbitMQ cancelled a consumer"));
          channel.sendToQueue(queues[index + 1] ?? "", message.content, { persistent: true }, (err) => {
            if (err) return reject(err);
            channel.ack(message);
            if (isLast && ++finished === count) resolve();
          });
        });
      }
      await promise;
      return perSecond(count, started);
    } finally {
      for (const queue of queues) await channel.deleteQueue(queue);
    }
  } finally {
    await connection.close();
  }
}
