import type { NatsConnection } from "nats";
import { archiverDurable } from "../archive/archiver.ts";
import { layout } from "../enrichment/pipeline.ts";
import { consumerOf } from "../jetstream/consumer-state.ts";
import { type StreamState, stateOf } from "../jetstream/stream-state.ts";
import {
  copiesStream,
  deadStream,
  finalStage,
  ledgerStream,
  rawStage,
  stageStream,
} from "../messages/subjects.ts";
import type { Database } from "../postgres/connect.ts";
import { everybody } from "./aggregates.ts";
import { compareAggregates } from "./aggregates-check.ts";
import { ArchiveLookup } from "./archive.ts";
import { archiveChecks } from "./archive-checks.ts";
import { type Check, checkNames } from "./check.ts";
import { beganAt, completeSince, isMadeAnew } from "./completeness.ts";
import {
  accountedCheck,
  countedChecks,
  olderCheck,
  quietCheck,
  unlessAmbiguous,
} from "./conservation-checks.ts";
import { deliveryCheck } from "./deliveries.ts";
import type { AcceptedTerms, ClientTerms, Proof, StreamTerms } from "./proof.ts";
import { type Queues, readQueues } from "./queues.ts";
import { waitForQuiet } from "./quiet.ts";
import { type Reading, readFinals, readLetters } from "./reading.ts";
import { type Closing, Reconciliation } from "./reconciliation.ts";
import { stuckMessages } from "./stuck.ts";

/** How far clocks of different machines may differ. */
const clockMarginMs = 60_000;
const usualDeliveryRetentionMs = 7 * 86_400_000;

export interface ProveOptions {
  readonly nc: NatsConnection;
  readonly db: Database;
  /** How long the archivers keep rows; undefined = forever. */
  readonly archiveRetentionMs?: number | undefined;
  /** How long the senders keep attempts. Default 7 days. */
  readonly deliveryRetentionMs?: number | undefined;
  /** Waits this long for all events to settle first, and is violated if they do not. Default: does not wait. */
  readonly waitMs?: number | undefined;
  /** Only considers what was accepted within this time. Default: everything that the streams retain. */
  readonly sinceMs?: number | undefined;
  /** How many of a kind are named. Default 10. */
  readonly names?: number;
  /** How long `/materialized` may differ from Postgres before it counts. Default 5 s. */
  readonly patienceMs?: number;
  /** Called while it waits, with what it waits for. */
  readonly waiting?: (what: readonly string[]) => void;
  readonly signal?: AbortSignal;
}

/**
 * Proves that every accepted event is accounted for, each once, from the contents of the streams, Postgres and the
 * materializer. It changes nothing and may run while events flow: it reads upstream before downstream, so that it meets
 * a moving event at least once.
 * @throws Unavailable when something it has to ask is away: then nothing is proved
 */
export async function prove(options: ProveOptions): Promise<Proof> {
  const { nc, db, names: most = 10, waitMs, sinceMs, archiveRetentionMs, signal } = options;
  const began = performance.now();
  const now = Date.now();
  const notQuiet = waitMs === undefined ? undefined : await waitForQuiet(nc, waitMs, signal, options.waiting);

  // What has to be accounted for, and up to when each stream may have forgotten.
  const raw = await stateOf(nc, stageStream(rawStage));
  const archiver = await consumerOf(nc, archiverDurable.stream, archiverDurable.name);
  const [finals, dead, ledger, copies] = await Promise.all([
    stateOf(nc, stageStream(finalStage)),
    stateOf(nc, deadStream),
    stateOf(nc, ledgerStream),
    stateOf(nc, copiesStream),
  ]);
  const asked = sinceMs === undefined ? undefined : now - sinceMs;
  const lastQueue = await stateOf(nc, stageStream(layout.at(-1)?.takesFrom ?? rawStage));
  const remembering = [finals, dead, ledger, copies];
  const remembered = remembering.map((state) => completeSince(state, now));
  // What an earlier stream of this name held is unknown.
  const madeAnew = remembering.filter((state) => isMadeAnew(state, lastQueue));
  const knownSince = Math.max(...remembered, ...madeAnew.map(({ created }) => created));
  const reconciliation = new Reconciliation({
    raw,
    windowMs: finals.windowMs,
    since: Math.max(asked ?? 0, knownSince),
    ledgerBefore: ledger.lastSeq + 1,
    names: most,
  });
  const reading: Reading = { nc, reconciliation, most, since: asked, signal };

  // Down the pipeline.
  const queues = await readQueues(reading);
  const stranded = await stuckMessages(nc, most);
  const log = await stateOf(nc, finals.stream);
  const [logSince = 0] = remembered;
  const isWhole = logSince === 0;
  const keptSince = archiveRetentionMs === undefined ? 0 : now - archiveRetentionMs + clockMarginMs;
  const lookup = new ArchiveLookup(db, {
    ackFloor: archiver?.ackFloor ?? 0,
    since: Math.max(logSince, beganAt(finals, now), keptSince, asked ?? 0),
    lastAt: log.lastAt,
    keptSince,
  });
  const events = await readFinals(reading, log, lookup, isWhole);
  await readLetters(reading, raw);

  // The result.
  const [rawNow, logNow, letters] = await Promise.all([
    stateOf(nc, raw.stream),
    stateOf(nc, finals.stream),
    stateOf(nc, dead.stream),
  ]);
  const closing = reconciliation.close(rawNow.lastSeq, letters.firstSeq);
  const checks: Check[] = [
    ...(notQuiet === undefined ? [] : [quietCheck(notQuiet, most)]),
    accountedCheck(closing, queues),
    ...countedChecks(reconciliation, closing, events, stranded),
    ...(await archiveChecks(lookup, reconciliation, {
      archiver,
      isAtRest: logNow.lastSeq === log.lastSeq,
      most,
    })),
  ].map((check) => unlessAmbiguous(closing, check));
  // Whoever asks for the last hour asks for no more.
  if (asked === undefined || asked < knownSince)
    checks.push(
      olderCheck(
        closing,
        madeAnew.map(({ stream }) => stream),
      ),
    );
  if (asked === undefined)
    checks.push(
      await compareAggregates({
        ...options,
        most,
        log: logNow,
        keptSince,
        refused: refusedBy(reconciliation, lookup),
        refusedBefore: [...reconciliation.refused].filter((seq) => seq < log.firstSeq).length,
        storedEarlier: lookup.storedEarlier,
      }),
    );
  const { deliveryRetentionMs: retentionMs = usualDeliveryRetentionMs } = options;
  checks.push(await deliveryCheck({ nc, db, retentionMs, since: asked, most }));
  checks.sort((a, b) => checkNames.indexOf(a.name) - checkNames.indexOf(b.name));
  return {
    holds: checks.every(({ verdict }) => verdict !== "violated"),
    unchecked: checks.filter(({ verdict }) => verdict === "unchecked").map(({ name }) => name),
    at: new Date(now).toISOString(),
    tookMs: Math.round(performance.now() - began),
    accepted: termsOf(raw, closing, queues),
    finals: { messages: events.messages, replayed: reconciliation.replayed.count },
    clients: clientTerms(events.distinct, reconciliation, lookup),
    streams: [...queues.states, log, letters, ledger, copies].map(streamTerms),
    checks,
  };
}

/** How many final events of each client, and of everybody, Postgres lacks because the archiver set them aside. */
function refusedBy({ refused }: Reconciliation, { unarchived }: ArchiveLookup): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { seq, key } of unarchived)
    if (refused.has(seq))
      for (const client of [key.client, everybody]) counts.set(client, (counts.get(client) ?? 0) + 1);
  return counts;
}

function termsOf(raw: StreamState, { sum }: Closing, queues: Queues): AcceptedTerms {
  const unread = Math.min(sum.unknown, queues.unread);
  // Each of them is already counted as one.
  const enclosed = Math.round(sum.unopened * (queues.perMessage - 1));
  const counts = { ...sum.counts, waiting: sum.counts.waiting + enclosed };
  const known = Object.values(counts).reduce((total, count) => total + count, 0);
  return {
    messages: raw.lastSeq,
    accepted: sum.unknownBefore + known + sum.unknown,
    isEstimate: enclosed > 0,
    older: sum.unknownBefore,
    ...counts,
    unread,
    lost: sum.unknown - unread,
  };
}

function clientTerms(
  distinct: ReadonlyMap<string, number>,
  reconciliation: Reconciliation,
  lookup: ArchiveLookup,
): readonly ClientTerms[] {
  const refused = refusedBy(reconciliation, lookup);
  const unarchived = Map.groupBy(lookup.unarchived, ({ key }) => key.client);
  return [...distinct].sort().map(([client, final]) => ({
    client,
    final,
    sentTwice: reconciliation.sentTwice.get(client) ?? 0,
    archived: lookup.archived.get(client) ?? 0,
    waiting: lookup.waiting.get(client) ?? 0,
    refused: refused.get(client) ?? 0,
    missing: (unarchived.get(client)?.length ?? 0) - (refused.get(client) ?? 0),
  }));
}

const streamTerms = ({ stream, lastSeq, messages }: StreamState): StreamTerms => ({
  stream,
  stored: lastSeq,
  holds: messages,
});
