import {
  AckPolicy,
  type ConsumerConfig,
  DeliverPolicy,
  type JetStreamManager,
  jetstreamManager,
  ReplayPolicy,
} from "@nats-io/jetstream";
import { type NatsConnection, nanos } from "nats";
import { consumerExists, consumerInTheWay, consumerNotFound, explain, hasCode } from "./api-error.ts";

/**
 * How long a message may stay unsettled. Its holder renews it while it works, so this only decides how soon the
 * messages of a killed process come again. A process whose event loop blocks for longer causes copies, which the ids
 * of final events absorb.
 */
export const ackWaitMs = 5_000;

/** A durable consumer: its stream, its name, what it takes, and how much may be unsettled at once. */
export interface Durable {
  readonly stream: string;
  readonly name: string;
  /** Shown by `nats consumer info`: who reads what, and why. */
  readonly description?: string;
  readonly filter: string;
  /** Over all processes. Events that wait for rates count too, so leave room for the others. */
  readonly maxAckPending: number;
  readonly ackWaitMs?: number | undefined;
  /**
   * Only on a log: a new consumer starts with what was stored from then on, in ms since the epoch, instead of the
   * oldest message.
   */
  readonly beginsAt?: number;
  /**
   * Only on a log, where a recreated consumer repeats what is retained: what that does, as in "printed again". When
   * set, the consumer's place is remembered, so that little is repeated.
   */
  readonly repeated?: string;
}

export function durableConfig(durable: Durable): ConsumerConfig {
  return {
    durable_name: durable.name,
    ...(durable.description === undefined ? {} : { description: durable.description }),
    filter_subject: durable.filter,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    ack_wait: nanos(durable.ackWaitMs ?? ackWaitMs),
    max_ack_pending: durable.maxAckPending,
    // At its own limit the server would only strand a message with an advisory. The runner decides instead.
    max_deliver: -1,
    replay_policy: ReplayPolicy.Instant,
    // The broker's defaults, set explicitly so that an update repairs what somebody changed.
    backoff: [],
    inactive_threshold: 0,
    headers_only: false,
  };
}

/**
 * Creates the durable consumer or updates its configuration; safe with any number of processes at once.
 *
 * On a work queue the consumer of a step that has moved to another stage is in the way: it is removed, unless a
 * process still reads it. What it delivered without an acknowledgement is delivered again through the new one.
 * @param startSeq where a new consumer starts, on a log; default: the durable's own start, else the oldest message
 * @returns whether it existed or was created
 * @throws Error with one sentence
 */
export async function ensureDurable(
  nc: NatsConnection,
  durable: Durable,
  startSeq?: number,
): Promise<"there" | "made"> {
  const jsm = await jetstreamManager(nc, { checkAPI: false });
  const { stream, name } = durable;
  const { deliver_policy, ...settings } = durableConfig(durable);
  const start = startOf(durable, startSeq) ?? { deliver_policy };
  const make = () => jsm.consumers.add(stream, { ...settings, ...start });
  try {
    const isThere = await jsm.consumers.info(stream, name).catch((err: unknown) => {
      if (!hasCode(err, consumerNotFound)) throw err;
    });
    if (isThere === undefined) {
      const isMade = await make().catch(async (err: unknown) => {
        if (hasCode(err, consumerExists)) return undefined;
        if (!hasCode(err, consumerInTheWay)) throw err;
        await removeFormerReaders(jsm, durable);
        return make();
      });
      if (isMade !== undefined) return "made";
    }
    // The start of an existing consumer cannot be changed, and no longer matters.
    await jsm.consumers.update(stream, name, settings).catch((err: unknown) => {
      // Once it was restarted, nats-server 2.9 takes the very same start for another one: there the consumer stays as it is.
      if (!(err instanceof Error && err.message.includes("start time can not be updated"))) throw err;
    });
    return "there";
  } catch (err) {
    const isFixed = err instanceof Error && err.message.includes("can not be updated");
    throw explain(
      err,
      `consumer ${name} of ${stream} cannot be created`,
      isFixed
        ? `delete it (nats consumer rm ${stream} ${name}); it is made anew and begins with the oldest message`
        : undefined,
    );
  }
}

function startOf({ beginsAt }: Durable, startSeq: number | undefined) {
  if (startSeq !== undefined) return { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: startSeq };
  return beginsAt === undefined
    ? undefined
    : { deliver_policy: DeliverPolicy.StartTime, opt_start_time: new Date(beginsAt).toISOString() };
}

async function removeFormerReaders(jsm: JetStreamManager, { stream, name }: Durable): Promise<void> {
  for await (const other of jsm.consumers.list(stream)) {
    if (other.name === name) continue;
    if (other.num_waiting > 0)
      throw new Error(`${other.name} still reads it; stop the enrichers of the other version first`);
    await jsm.consumers.delete(stream, other.name);
  }
}
