import type { Measurement } from "../measurement.ts";
import type { Row } from "../table.ts";
import { speedRow } from "../table.ts";
import { bullmqSpeed } from "./bullmq.ts";
import { rabbitmqSpeed } from "./rabbitmq.ts";

/** They are slower than the pipeline. */
const mostEvents = 20_000;

/** Three empty steps on other brokers; each acknowledges an event once the next queue has it. */
export const peers: Measurement = {
  name: "peers",
  title: "three empty steps on other brokers: events per second and their ratio to the limit ÷ 4",
  lacks: ({ redis, rabbitmq }) =>
    redis === undefined && rabbitmq === undefined ? "--redis URL or --rabbitmq URL" : undefined,
  async measure({ options, progress }) {
    const count = Math.min(options.events, mostEvents);
    const rows: Row[] = [];
    if (options.redis !== undefined) {
      progress("  BullMQ");
      rows.push(speedRow("BullMQ on Redis", await bullmqSpeed(options.redis, count), 4));
    }
    if (options.rabbitmq !== undefined) {
      progress("  RabbitMQ");
      rows.push(
        speedRow("RabbitMQ, durable, with confirms", await rabbitmqSpeed(options.rabbitmq, count), 4),
      );
    }
    return rows;
  },
};
