import type { NatsConnection } from "nats";
import { isUnavailable } from "../service/unavailable.ts";
import { type Figures, readFigures } from "./figures.ts";
import { buildPicture, type Picture } from "./picture.ts";
import type { Layout, QueueReader, Queues } from "./queues.ts";
import type { StatusBoard } from "./status-board.ts";

/** The pipeline as it is at one moment. */
export interface Look {
  readonly at: Date;
  readonly picture: Picture;
  /** Why JetStream does not answer. */
  readonly broker: string | undefined;
  /** Undefined when no materializer answers. */
  readonly figures: Figures | undefined;
}

/** Asks JetStream and the materializer, and uses the services' latest status messages. */
export async function lookAt(
  nc: NatsConnection,
  layout: readonly Layout[],
  board: StatusBoard,
  reader: QueueReader,
): Promise<Look> {
  const [queues, figures] = await Promise.all([
    reader.read().catch((err: unknown) => {
      if (!isUnavailable(err)) throw err;
      return err.message;
    }),
    readFigures(nc),
  ]);
  const known: Queues | undefined = typeof queues === "string" ? undefined : queues;
  return {
    at: new Date(),
    picture: buildPicture(layout, board.instances(), known),
    broker: typeof queues === "string" ? queues : undefined,
    figures,
  };
}
