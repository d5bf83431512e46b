import { setTimeout as sleep } from "node:timers/promises";
import { AckPolicy, DeliverPolicy, ReplayPolicy } from "@nats-io/jetstream";
import { type NatsConnection, nanos } from "nats";
import { Unavailable } from "../service/unavailable.ts";
import { askBroker } from "./api.ts";
import { Delivery } from "./delivery.ts";
import { privateInbox } from "./inbox.ts";
import { WireWriter } from "./wire-writer.ts";

/** A part of a stream: from the first sequence to just before the last. */
export interface Range {
  readonly from: number;
  readonly before: number;
}

export interface ScanOptions extends Range {
  /** Instead of the first sequence, start with what was stored from this time on, in ms since the epoch. */
  readonly since?: number | undefined;
  /** Default: everything in the stream. */
  readonly filter?: string;
  /** Headers without payloads; the header `Nats-Msg-Size` then says how large the payload is. */
  readonly headersOnly: boolean;
  /** Messages per request; at most two requests are in memory at once. */
  readonly batch?: number;
  /**
   * How long to wait, in ms, for messages of the range that do not arrive: in a cluster the server read from may be
   * behind its leader. Default 0.
   */
  readonly behindMs?: number;
}

const defaultBatch = 500;
/** A scan without any answer for this long was cut off. */
const patienceMs = 5_000;
/** The server's own status where nobody listens. */
const noResponders = 503;
/** The server deletes a scan's consumer after this long without a request, should the process die first. */
const idleMs = 300_000;
const pauseMs = 50;

/**
 * Reads a part of a stream in order, no faster than its reader. Leaves nothing behind at the server.
 * @throws Unavailable when the broker is or goes away
 */
export async function* scan(
  nc: NatsConnection,
  stream: string,
  { from, before, since, filter, headersOnly, batch = defaultBatch, behindMs = 0 }: ScanOptions,
): AsyncGenerator<Delivery> {
  if (from >= before) return;
  const { name } = await askBroker(nc, stream, (jsm) =>
    jsm.consumers.add(stream, {
      ...(since === undefined
        ? { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: from }
        : { deliver_policy: DeliverPolicy.StartTime, opt_start_time: new Date(since).toISOString() }),
      ...(filter === undefined ? {} : { filter_subject: filter }),
      ack_policy: AckPolicy.None,
      replay_policy: ReplayPolicy.Instant,
      headers_only: headersOnly,
      mem_storage: true,
      num_replicas: 1,
      inactive_threshold: nanos(idleMs),
    }),
  );
  const wire = WireWriter.of(nc);
  const inbox = privateInbox(nc);
  const subscription = nc.subscribe(inbox);
  let cutOff = false;
  let waiting = true;
  const timer = setTimeout(() => {
    // The reader may take its time.
    if (!waiting) return void timer.refresh();
    cutOff = true;
    subscription.unsubscribe();
  }, patienceMs);
  let due = 0;
  /** Since when there was nothing but such answers; 0 = the last one was a message. */
  let [behindSince, unheardSince] = [0, 0];
  const ask = (): void => {
    due += batch;
    const request = JSON.stringify({ batch, no_wait: true });
    nc.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${name}`, request, { reply: inbox });
  };
  try {
    ask();
    for await (const message of subscription) {
      waiting = false;
      if (message.subject === inbox) {
        const code = message.headers?.code ?? 0;
        due = 0;
        if (code === noResponders) {
          // In a cluster of nats-server 2.10, the node asked may not know for a moment that another has the consumer.
          unheardSince ||= performance.now();
          if (performance.now() - unheardSince >= patienceMs)
            throw new Unavailable(`NATS ended the reading of ${stream}: nobody answers for its consumer.`);
        } else if (code === 404 || code === 408) {
          behindSince ||= performance.now();
          if (performance.now() - behindSince >= behindMs) return;
        } else throw new Unavailable(`NATS ended the reading of ${stream}: ${message.headers?.description}.`);
        await sleep(pauseMs);
        ask();
      } else {
        behindSince = unheardSince = 0;
        const delivery = new Delivery(wire, message);
        const seq = delivery.streamSequence;
        if (seq >= before) return;
        yield delivery;
        if (seq === before - 1) return;
        // The next part travels while this one is read.
        if (--due === Math.floor(batch / 2)) ask();
      }
      waiting = true;
      timer.refresh();
    }
    if (cutOff || nc.isClosed()) throw new Unavailable("NATS JetStream is away: it does not answer.");
  } finally {
    clearTimeout(timer);
    if (!nc.isClosed()) {
      subscription.unsubscribe();
      void askBroker(nc, stream, (jsm) => jsm.consumers.delete(stream, name)).catch(() => undefined);
    }
  }
}
