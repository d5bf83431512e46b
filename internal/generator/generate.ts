import { randomBytes, randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { newTraceparent, writeEnvelope } from "../actor/envelope.ts";
import type { CasinoType } from "../casino/event.ts";
import { type Outgoing, PublishError, type Publisher } from "../jetstream/publisher.ts";
import { rawStage, rawSubject } from "../jetstream/subjects.ts";
import type { Log } from "../log.ts";
import { randomEvents } from "./events.ts";
import { seededRandom } from "./random.ts";

export interface GenerateOptions {
  readonly publisher: Publisher;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Events per second; without it random gaps of 0 to 100 ms. */
  readonly rate?: number;
  readonly count?: number;
  readonly seed?: number;
  readonly client?: string;
  readonly type?: CasinoType;
}

const longestGapMs = 100;
const retryMs = 500;

/**
 * Publishes random events until `count` is reached or the signal ends it; resolves once every event is stored. Each
 * run has a source of its own (`generator-<run>`), because its ids start at 1 again. A refused event (stream full,
 * broker away) is published again until it is stored.
 */
export async function generate(options: GenerateOptions): Promise<void> {
  const { publisher, log, signal, rate, count = Number.POSITIVE_INFINITY, client = "casino", type } = options;
  const seed = options.seed ?? randomInt(2 ** 32);
  const source = `generator-${randomBytes(4).toString("hex")}`;
  log.info({ source, seed, client }, "generating");

  const random = seededRandom(seed);
  const events = randomEvents(random, () => new Date(), type);
  const unanswered = new Set<Promise<void>>();
  const started = performance.now();
  let sent = 0;
  while (sent < count && !signal.aborted) {
    const due = rate === undefined ? 1 : Math.floor(((performance.now() - started) / 1000) * rate) - sent + 1;
    for (let i = 0; i < Math.min(due, 500) && sent < count; i++, sent++) {
      const event = events.next().value;
      const message: Outgoing = {
        subject: rawSubject(client),
        payload: Buffer.from(JSON.stringify(event)),
        headers: writeEnvelope({ client, source, traceparent: newTraceparent() }, sent + 1, rawStage),
      };
      const storing: Promise<void> = store(publisher, message, log, signal).finally(() =>
        unanswered.delete(storing),
      );
      unanswered.add(storing);
    }
    const gap =
      rate === undefined ? Math.random() * longestGapMs : started + (sent / rate) * 1000 - performance.now();
    if (sent < count) await sleep(Math.max(0, gap), undefined, { signal }).catch(() => undefined);
  }
  await Promise.all(unanswered);
  log.info({ source, events: sent, duplicates: publisher.stats.duplicates }, "generated");
}

async function store(publisher: Publisher, message: Outgoing, log: Log, signal: AbortSignal): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await publisher.publish(message);
      return;
    } catch (err) {
      if (signal.aborted) return;
      if (!(err instanceof PublishError) || err.isTooLarge) throw err;
      if (attempt === 1) log.warn({ err, subject: message.subject }, "publishing failed, trying again");
      await sleep(retryMs, undefined, { signal }).catch(() => undefined);
    }
  }
}
