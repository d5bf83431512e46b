import type { NatsConnection } from "nats";
import { archiverDurable } from "../archive/archiver.ts";
import { layout } from "../enrichment/pipeline.ts";
import { deadStream, finalStage, ledgerStream, rawStage, stageStream } from "../jetstream/subjects.ts";
import type { Database } from "../postgres/connect.ts";
import { Accounts, type Closing } from "./accounts.ts";
import { compareAggregates } from "./aggregates-check.ts";
import { ArchiveLookup } from "./archive.ts";
import { archiveChecks } from "./archive-checks.ts";
import { type Check, checkNames, unchecked } from "./check.ts";
import { accountedCheck, countedChecks, olderCheck, quietCheck } from "./conservation-checks.ts";
import { consumerOf } from "./consumer-state.ts";
import type { AcceptedTerms, ClientTerms, Proof, StreamTerms } from "./proof.ts";
import { waitForQuiet } from "./quiet.ts";
import { type Queues, type Reading, readFinals, readLetters, readQueues } from "./reading.ts";
import { findStranded } from "./stranded.ts";
import { completeSince, isMadeAnew, type StreamState, stateOf } from "./stream-state.ts";

/** Clocks of different machines may differ so much. */
const clockMarginMs = 60_000;

export interface ProveOptions {
  readonly nc: NatsConnection;
  readonly db: Database;
  /** How long the archivers keep rows; undefined = for ever. */
  readonly archiveRetentionMs?: number | undefined;
  /** Waits so long for all events to be settled first, and is violated if they are not. Default: does not wait. */
  readonly waitMs?: number | undefined;
  /** Looks only at what was accepted within this time. Default: at all that the streams retain. */
  readonly sinceMs?: number | undefined;
  /** How many of a kind are named. Default 10. */
  readonly names?: number;
  /** How long `/materialized` may differ from Postgres before it counts. Default 5 s. */
  readonly patienceMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * Proves that every accepted event is accounted for, each once, from what the streams, Postgres and the materializer hold. It
 * changes nothing, and may run while events flow: what lies further up the pipeline is read before what lies further down,
 * so that an event on its way is met at least once.
 * @throws Unavailable when something it has to ask is away: then nothing is proved
 */
export async function prove(options: ProveOptions): Promise<Proof> {
  const { nc, db, names: most = 10, waitMs, sinceMs, archiveRetentionMs, signal } = options;
  const began = performance.now();
  const now = Date.now();
  const notQuiet = waitMs === undefined ? undefined : await waitForQuiet(nc, waitMs, signal);

  // What there is to be accounted for, and by when each stream has forgotten.
  const raw = await stateOf(nc, stageStream(rawStage));
  const archiver = await consumerOf(nc, archiverDurable.stream, archiverDurable.name);
  const [finals, dead, ledger] = await Promise.all([
    stateOf(nc, stageStream(finalStage)),
    stateOf(nc, deadStream),
    stateOf(nc, ledgerStream),
  ]);
  const asked = sinceMs === undefined ? undefined : now - sinceMs;
  const lastQueue = await stateOf(nc, stageStream(layout.at(-1)?.takesFrom ?? rawStage));
  const remembering = [finals, dead, ledger];
  const remembered = remembering.map((state) => completeSince(state, now));
  // What a stream of this name held before is not known.
  const madeAnew = remembering.filter((state) => isMadeAnew(state, lastQueue));
  const accounts = new Accounts({
    raw,
    since: Math.max(asked ?? 0, ...remembered, ...madeAnew.map(({ created }) => created)),
    ledgerBefore: ledger.lastSeq + 1,
    names: most,
  });
  const reading: Reading = { nc, accounts, most, since: asked, signal };

  // Down the pipeline.
  const queues = await readQueues(reading);
  const stranded = await findStranded(nc, most);
  const log = await stateOf(nc, finals.stream);
  const [logSince = 0] = remembered;
  const isWhole = logSince === 0;
  const keptSince = archiveRetentionMs === undefined ? 0 : now - archiveRetentionMs + clockMarginMs;
  const lookup = new ArchiveLookup(db, {
    ackFloor: archiver?.ackFloor ?? 0,
    since: Math.max(logSince, finals.created, keptSince, asked ?? 0),
    lastAt: log.lastAt,
    keptSince,
  });
  const events = await readFinals(reading, log, lookup, isWhole);
  await readLetters(reading, raw);

  // Drawing the line.
  const [rawNow, logNow, letters] = await Promise.all([
    stateOf(nc, raw.stream),
    stateOf(nc, finals.stream),
    stateOf(nc, dead.stream),
  ]);
  const closing = accounts.close(rawNow.lastSeq);
  const checks: readonly Check[] = [
    ...(notQuiet === undefined ? [] : [quietCheck(notQuiet, most)]),
    accountedCheck(closing, queues),
    olderCheck(closing, {
      madeAnew: madeAnew.map(({ stream }) => stream),
      log: logNow,
      letters,
      ledger,
      removedLetters: accounts.removedLetters.size,
      wasCutShort: asked !== undefined,
    }),
    ...countedChecks(accounts, events, stranded),
    ...(await archiveChecks(lookup, accounts, { archiver, isAtRest: logNow.lastSeq === log.lastSeq, most })),
    asked === undefined
      ? await compareAggregates({
          ...options,
          most,
          log: logNow,
          keptSince,
          refused: refusedBy(accounts, lookup),
          refusedBefore: [...accounts.refused].filter((seq) => seq < log.firstSeq).length,
          storedEarlier: lookup.storedEarlier,
        })
      : unchecked("materialized", "The figures are of all events, not only of those asked for."),
  ];
  const order = (name: Check["name"]) => checkNames.indexOf(name);
  return {
    holds: checks.every(({ verdict }) => verdict !== "violated"),
    at: new Date(now).toISOString(),
    tookMs: Math.round(performance.now() - began),
    accepted: termsOf(raw, closing, queues),
    finals: { messages: events.messages, replayed: accounts.replayed.count },
    clients: clientTerms(events.distinct, accounts, lookup),
    streams: [...queues.states, log, letters, ledger].map(streamTerms),
    checks: checks.toSorted((a, b) => order(a.name) - order(b.name)),
  };
}

/** How many final events of each client Postgres has not, because the archiver set them aside. */
function refusedBy({ refused }: Accounts, { unarchived }: ArchiveLookup): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { seq, key } of unarchived)
    if (refused.has(seq)) counts.set(key.client, (counts.get(key.client) ?? 0) + 1);
  return counts;
}

function termsOf(raw: StreamState, { sum }: Closing, queues: Queues): AcceptedTerms {
  const unread = Math.min(sum.unknown, queues.unread);
  return {
    accepted: raw.lastSeq,
    older: sum.unknownBefore,
    ...sum.counts,
    unread,
    lost: sum.unknown - unread,
  };
}

function clientTerms(
  distinct: ReadonlyMap<string, number>,
  accounts: Accounts,
  lookup: ArchiveLookup,
): readonly ClientTerms[] {
  const refused = refusedBy(accounts, lookup);
  const unarchived = Map.groupBy(lookup.unarchived, ({ key }) => key.client);
  return [...distinct].sort().map(([client, final]) => ({
    client,
    final,
    sentTwice: accounts.sentTwice.get(client) ?? 0,
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
