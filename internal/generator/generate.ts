import { randomBytes, randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { IngestBuffer } from "../jetstream/ingest-buffer.ts";
import { PublishError } from "../jetstream/pub-ack.ts";
import type { Publisher } from "../jetstream/publisher.ts";
import { UntilStored } from "../jetstream/until-stored.ts";
import { rawMessages } from "../messages/raw-message.ts";
import { rawSubject } from "../messages/subjects.ts";
import type { SourceTrace } from "../messages/trace.ts";
import type { Log } from "../service/log.ts";
import { Outage } from "../service/outage.ts";
import { type MakeEvents, randomEvents } from "./events.ts";
import { seededRandom } from "./random.ts";

export interface GenerateOptions {
  readonly publisher: Publisher;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Events per second; without it random gaps of 0 to 100 ms. */
  readonly rate?: number;
  readonly count?: number;
  /** Events in one message, as far as they fit; default 1. */
  readonly batch?: number;
  readonly seed?: number;
  readonly client?: string;
  /** Default: casino events of all types. */
  readonly events?: MakeEvents;
  readonly trace?: SourceTrace | undefined;
  /** Called with the number of events stored so far, whenever there are more. */
  readonly onStored?: ((stored: number) => void) | undefined;
}

const longestGapMs = 100;
/** Most events on their way at once: while none is stored, none is added. */
const mostUnstored = 4_096;
/** Most events between two looks at the clock. */
const burst = 500;

/**
 * Publishes random events until `count` is reached or the signal ends it; resolves once every event is stored, after
 * the signal once each is stored or refused. Each run has a source of its own (`generator-<run>`), because its ids start
 * at 1 again. A refused message (stream full, broker away) is published again until it is stored.
 * @throws PublishError when an event is too large
 */
export async function generate(options: GenerateOptions): Promise<void> {
  const { publisher, log, signal, rate, count = Number.POSITIVE_INFINITY, client = "casino" } = options;
  const { batch = 1, seed = randomInt(2 ** 32) } = options;
  const source = `generator-${randomBytes(4).toString("hex")}`;
  log.info({ source, seed, client }, "generating");

  const untilStored = new UntilStored({ stopping: signal, outage: new Outage(log) });
  const buffer = new IngestBuffer({
    publisher: {
      get maxPayload() {
        return publisher.maxPayload;
      },
      send: (message, onSettled) =>
        untilStored.publish({
          publish: (tell) => publisher.send(message, tell),
          what: "publish",
          onStored: onSettled,
          onTooLarge: onSettled,
          onGivenUp: onSettled,
        }),
    },
    maxEvents: mostUnstored,
    stallMs: Number.POSITIVE_INFINITY,
  });
  const { events: makeEvents = randomEvents } = options;
  const events = makeEvents(seededRandom(seed), () => new Date());
  let stored = 0;
  let tooLarge: PublishError | undefined;
  const subject = rawSubject(client);
  const send = (texts: readonly string[]): void => {
    const sender = { client, source, traceparent: options.trace?.send(subject) };
    for (const { message, events: carried } of rawMessages(sender, texts, buffer.maxMessageBytes))
      buffer.send(
        message,
        (outcome) => {
          if (!(outcome instanceof PublishError)) {
            stored += carried;
            options.onStored?.(stored);
          } else if (outcome.isTooLarge) tooLarge = outcome;
        },
        carried,
      );
  };

  const started = performance.now();
  let sent = 0;
  while (sent < count && !signal.aborted && tooLarge === undefined) {
    if (!(await buffer.room(signal))) break;
    const due = rate === undefined ? 1 : Math.floor(((performance.now() - started) / 1000) * rate) - sent + 1;
    const end = Math.min(sent + Math.max(batch, Math.min(due, burst)), count);
    while (sent < end && !signal.aborted) {
      const texts = Array.from({ length: Math.min(batch, count - sent) }, () =>
        JSON.stringify(events.next().value),
      );
      sent += texts.length;
      send(texts);
    }
    const gap =
      rate === undefined ? Math.random() * longestGapMs : started + (sent / rate) * 1000 - performance.now();
    if (sent < count) await sleep(Math.max(0, gap), undefined, { signal }).catch(() => undefined);
  }
  await buffer.empty();
  if (tooLarge !== undefined) throw tooLarge;
  log.info({ source, events: stored }, "generated");
}
