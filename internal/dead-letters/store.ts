import { type NatsConnection, nanos } from "nats";
import { Delivery } from "../jetstream/delivery.ts";
import { privateInbox } from "../jetstream/inbox.ts";
import { deadStream } from "../jetstream/subjects.ts";
import { ReceivedHeaders } from "../jetstream/wire-headers.ts";
import { Unavailable } from "../unavailable.ts";
import { askBroker, isObject, RefusedRequest } from "./broker-api.ts";
import { type LetterFilter, matches, subjectOf } from "./filter.ts";
import { type Letter, type LetterHead, readHead } from "./letter.ts";

/** A part of the stream: from the first sequence to just before the last. */
export interface Range {
  readonly from: number;
  readonly before: number;
}

/** Letters per request of a scan: their headers, of at most 17 KiB each, are what it holds in memory at once. */
const scanBatch = 500;
/** A scan without any answer for so long was cut off. */
const scanPatienceMs = 5_000;
/** A scan's consumer goes when nobody has asked it for so long, should the process die before it deletes it. */
const scanIdleMs = 300_000;

/** The letters in CASINO_DEAD. Everything here throws `Unavailable` while the broker is away. */
export class LetterStore {
  readonly #nc: NatsConnection;

  constructor(nc: NatsConnection) {
    this.#nc = nc;
  }

  /** All that is there now; what comes later is outside of it. */
  async range(): Promise<Range> {
    const { state } = await askBroker(this.#nc, `STREAM.INFO.${deadStream}`);
    const { first_seq, last_seq } = isObject(state) ? state : {};
    // An empty stream has its first sequence after its last, or, where nothing was ever in it, at 0.
    return { from: Math.max(1, Number(first_seq)), before: Number(last_seq) + 1 };
  }

  /** @param seq an integer from 1 on; undefined when there is no letter of that number */
  async read(seq: number): Promise<Letter | undefined> {
    let found: Readonly<Record<string, unknown>>;
    try {
      const { message } = await askBroker(this.#nc, `STREAM.MSG.GET.${deadStream}`, { seq });
      found = isObject(message) ? message : {};
    } catch (err) {
      if (err instanceof RefusedRequest && err.isMessageMissing) return undefined;
      throw err;
    }
    const { subject, hdrs, data, time } = found;
    const headers = new ReceivedHeaders(bytesOf(hdrs).toString());
    const payload = bytesOf(data);
    const storedAt = Date.parse(String(time));
    const head = readHead({ seq, subject: String(subject), headers, storedAt, bytes: payload.length });
    return { ...head, headers, payload };
  }

  /** @returns false when it was gone already */
  async remove(seq: number): Promise<boolean> {
    try {
      await askBroker(this.#nc, `STREAM.MSG.DELETE.${deadStream}`, { seq, no_erase: true });
      return true;
    } catch (err) {
      if (err instanceof RefusedRequest && (err.isMessageMissing || (await this.read(seq)) === undefined))
        return false;
      throw err;
    }
  }

  /** The heads of the letters in a range, in order. The broker sends no payloads, and no more than was asked for. */
  async *scan(filter: LetterFilter, { from, before }: Range): AsyncGenerator<LetterHead> {
    if (from >= before) return;
    const consumer = await this.#createConsumer(filter, from);
    const inbox = privateInbox(this.#nc);
    const subscription = this.#nc.subscribe(inbox);
    let cutOff = false;
    let waiting = true;
    const timer = setTimeout(() => {
      // Whoever reads this may take as long as it takes.
      if (!waiting) return void timer.refresh();
      cutOff = true;
      subscription.unsubscribe();
    }, scanPatienceMs);
    let due = 0;
    const ask = (): void => {
      due = scanBatch;
      const request = JSON.stringify({ batch: scanBatch, no_wait: true });
      this.#nc.publish(`$JS.API.CONSUMER.MSG.NEXT.${deadStream}.${consumer}`, request, { reply: inbox });
    };
    try {
      ask();
      for await (const message of subscription) {
        waiting = false;
        if (message.subject === inbox) {
          const code = message.headers?.code ?? 0;
          if (code === 404 || code === 408) return;
          throw new Unavailable(`NATS ended the reading of ${deadStream}: ${message.headers?.description}.`);
        }
        const { headers, subject, streamSequence: seq, storedAt } = new Delivery(this.#nc, message);
        if (seq >= before) return;
        const head = readHead({
          seq,
          subject,
          headers,
          storedAt,
          bytes: Number(headers.get("Nats-Msg-Size")),
        });
        if (matches(head, filter)) yield head;
        if (--due === 0) ask();
        waiting = true;
        timer.refresh();
      }
      if (cutOff || this.#nc.isClosed()) throw new Unavailable("NATS JetStream is away: it does not answer.");
    } finally {
      clearTimeout(timer);
      if (!this.#nc.isClosed()) {
        subscription.unsubscribe();
        void askBroker(this.#nc, `CONSUMER.DELETE.${deadStream}.${consumer}`).catch(() => undefined);
      }
    }
  }

  async #createConsumer(filter: LetterFilter, from: number): Promise<string> {
    const { name } = await askBroker(this.#nc, `CONSUMER.CREATE.${deadStream}`, {
      stream_name: deadStream,
      config: {
        deliver_policy: "by_start_sequence",
        opt_start_seq: from,
        filter_subject: subjectOf(filter),
        ack_policy: "none",
        replay_policy: "instant",
        headers_only: true,
        mem_storage: true,
        num_replicas: 1,
        inactive_threshold: nanos(scanIdleMs),
      },
    });
    return String(name);
  }
}

function bytesOf(base64: unknown): Buffer {
  return Buffer.from(typeof base64 === "string" ? base64 : "", "base64");
}
