import { setTimeout as sleep } from "node:timers/promises";
import type { NatsConnection } from "nats";
import { layout } from "../enrichment/pipeline.ts";
import { buildPicture, waitingIn } from "../overview/picture.ts";
import { QueueReader } from "../overview/queues.ts";
import { counted } from "../service/counted.ts";
import { readiness } from "./readiness.ts";

interface Moment {
  /** Final events since `up` started, and recently per second; undefined without a logger. */
  readonly events: { readonly total: number; readonly perSecond: number } | undefined;
  /** Messages that wait for the steps, and dead letters; undefined if NATS does not answer. */
  readonly queues: { readonly waiting: number; readonly dead: number } | undefined;
  /** Services that are not ready, by name. */
  readonly unready: readonly string[];
}

const lookEveryMs = 1_000;
/** The number of samples over which the rate is computed. */
const looks = 5;

interface Watched {
  readonly nc: NatsConnection;
  /** Final events so far. */
  readonly eventCount: (() => number) | undefined;
  readonly ports: ReadonlyMap<string, number>;
  readonly show: (moment: Moment) => void;
  readonly signal: AbortSignal;
}

/** Samples once a second until the signal aborts. Never rejects. */
export async function watchStack({ nc, eventCount, ports, show, signal }: Watched): Promise<void> {
  const counts: { readonly at: number; readonly total: number }[] = [];
  const reader = new QueueReader(nc, layout);
  while (!signal.aborted) {
    const [queues, unready] = await Promise.all([
      queuesOf(reader).catch(() => undefined),
      unreadyOf(ports, signal).catch(() => []),
    ]);
    if (signal.aborted) return;
    counts.push({ at: performance.now(), total: eventCount?.() ?? 0 });
    if (counts.length > looks) counts.shift();
    const [first, last] = [counts[0], counts.at(-1)];
    const seconds = first && last ? (last.at - first.at) / 1_000 : 0;
    const perSecond = first && last && seconds > 0 ? (last.total - first.total) / seconds : 0;
    show({
      events: eventCount === undefined ? undefined : { total: last?.total ?? 0, perSecond },
      queues,
      unready,
    });
    await sleep(lookEveryMs, undefined, { signal }).catch(() => undefined);
  }
}

async function queuesOf(reader: QueueReader): Promise<Moment["queues"]> {
  const picture = buildPicture(layout, [], await reader.read());
  return { waiting: waitingIn(picture) ?? 0, dead: picture.letters ?? 0 };
}

async function unreadyOf(
  ports: ReadonlyMap<string, number>,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const asked = [...ports].map(async ([name, port]) => {
    const lacking = await readiness(`http://127.0.0.1:${port}`, 0, signal);
    return lacking === undefined ? [] : [name];
  });
  return (await Promise.all(asked)).flat();
}

/** Formats the status line. What is wrong comes first: a narrow terminal cuts the rest off. */
export function statusText({ events, queues, unready }: Moment): string {
  const number = (value: number): string => value.toLocaleString("en-US");
  return [
    ...(unready.length === 0 ? [] : [`not ready: ${unready.join(", ")}`]),
    ...(events === undefined
      ? []
      : [counted(events.total, "event"), `${number(Math.round(events.perSecond * 10) / 10)}/s`]),
    ...(queues === undefined
      ? ["NATS does not answer"]
      : [`${number(queues.waiting)} waiting`, counted(queues.dead, "dead letter")]),
    ...(unready.length === 0 ? ["ready"] : []),
  ].join(" · ");
}
