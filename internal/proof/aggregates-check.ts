import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import type { NatsConnection } from "nats";
import type { StreamState } from "../jetstream/stream-state.ts";
import type { Coverage } from "../materializer/replay.ts";
import type { Database } from "../postgres/connect.ts";
import { askMaterializer, differences, everybody, findMaterializers, foldArchive } from "./aggregates.ts";
import { type Check, holds, namesOf, unchecked, violated } from "./check.ts";
import { beganAt } from "./completeness.ts";
import { type Movement, movementOf } from "./quiet.ts";

/** How long the figures may differ before that counts: a materializer may be busy. */
const defaultPatienceMs = 5_000;
/** How long to wait for events to settle. */
const mostMovementMs = 1_000;
const pauseMs = 250;

interface AggregateOptions {
  readonly nc: NatsConnection;
  readonly db: Database;
  /** CASINO_EVENTS. */
  readonly log: StreamState;
  /** Rows of events stored before this time may have been deleted from Postgres. */
  readonly keptSince: number;
  /** How many final events of each client, and of everybody, Postgres refused: the materializer has counted them. */
  readonly refused: ReadonlyMap<string, number>;
  /** How many of the refused ones CASINO_EVENTS no longer has. */
  readonly refusedBefore: number;
  /** Events in CASINO_EVENTS that Postgres has under an earlier time: their producers sent them again. */
  readonly storedEarlier: number;
  readonly most: number;
  readonly patienceMs?: number | undefined;
}

interface Comparison {
  /** Its scope, as the end of a sentence. */
  readonly of: string;
  readonly differences: readonly string[];
}

/** Whether the materializers count what Postgres has; only at rest. @throws Unavailable */
export async function compareAggregates(options: AggregateOptions): Promise<Check> {
  const { nc, most, patienceMs = defaultPatienceMs } = options;
  const began = performance.now();
  let first: string | undefined;
  for (;;) {
    const before = await movementOf(nc);
    first ??= before.mark;
    // What was not to be stored is not lost.
    if (before.archiver === undefined)
      return unchecked(
        "materialized",
        "No archiver has ever run, and /materialized is compared with its rows: start one, then try again.",
      );
    const found = before.waiting.length > 0 ? undefined : await compareNow(options);
    if (typeof found === "string") return unchecked("materialized", found);
    const after = found === undefined ? before : await movementOf(nc);
    const moved = found === undefined || after.mark !== before.mark;
    if (!moved && found.differences.length === 0)
      return holds("materialized", `/materialized gives what Postgres gives, ${found.of}.`);
    const tookMs = performance.now() - began;
    if (moved && tookMs >= mostMovementMs)
      return unchecked("materialized", whyNotSettled(after.mark !== first, after));
    if (!moved && tookMs >= patienceMs)
      return violated(
        "materialized",
        `/materialized and Postgres differ, ${found.of}.`,
        namesOf(found.differences, most),
      );
    await sleep(pauseMs);
  }
}

/** Why there was no moment of rest to compare in. */
function whyNotSettled(isFlowing: boolean, { waiting, archiver }: Movement): string {
  if (isFlowing)
    return "Events are flowing, so two readings cannot agree: try again with --wait while their producers pause.";
  if (archiver === undefined || archiver.events === 0)
    return `Not all events are settled (${waiting.join(", ")}): try again with --wait while their producers pause.`;
  // Where nothing moves, waiting does not help.
  const { events, from, to } = archiver;
  const which = from < to ? `${from} to ${to}` : to;
  return `The archiver is behind by ${events}, of CASINO_EVENTS ${which}: see that one runs, and what it logs, then try again with --wait.`;
}

/** @returns a sentence where nothing can be compared */
async function compareNow(options: AggregateOptions): Promise<Comparison | string> {
  const { nc, log, keptSince, refusedBefore, storedEarlier } = options;
  const running = await findMaterializers(nc);
  const [coverage, ...others] = running.map((one) => one.coverage);
  if (others.some((other) => !isDeepStrictEqual(other, coverage)))
    return "The materializers began at different times, so their figures differ: restart those that began later, with MATERIALIZER_REPLAY=on.";
  if (coverage === undefined)
    return "No materializer answers, or it has begun after all the events there are.";
  if (keptSince > coverage.since)
    return "ARCHIVE_RETENTION has deleted rows that a materializer has counted.";
  if (refusedBefore > 0 && coverage.since < log.firstAt)
    return `Postgres refused ${refusedBefore} events that CASINO_EVENTS no longer has, and a materializer has counted.`;
  const totals = running.map(({ total }) => total);
  const comparison = await compareSince(coverage, totals, options);
  // The materializer has counted an event that was sent again, and Postgres has it under the earlier time.
  if (comparison.differences.length > 0 && storedEarlier > 0 && coverage.first !== undefined)
    return `${storedEarlier} events were sent again by their producers: a materializer that began in between counts them.`;
  return comparison;
}

async function compareSince(
  { since, first }: Coverage,
  totals: readonly number[],
  { nc, db, log, refused }: AggregateOptions,
): Promise<Comparison> {
  const { figures, inFirstMs } = await foldArchive(db, since);
  const refusedFrom = (client: string): number => refused.get(client) ?? 0;
  // Some events of the first millisecond may have expired before the materializer started.
  const gone = first === undefined ? 0 : inFirstMs - first;
  const found: string[] = [];
  const total = (figures.get(everybody)?.total ?? 0) - gone + refusedFrom(everybody);
  for (const counted of totals)
    if (counted !== total)
      found.push(`events of all clients: ${counted} in /materialized, ${total} in Postgres`);
  const from =
    since > beganAt(log, since) ? `, of what was stored since ${new Date(since).toISOString()}` : "";
  if (gone > 0) return { of: `in total${from}`, differences: found };
  for (const client of new Set([...figures.keys(), ...refused.keys()])) {
    const materialized = await askMaterializer(nc, client);
    found.push(...differences(client, figures.get(client), materialized, refusedFrom(client)));
  }
  // A player of one client is among all clients' players.
  return { of: `in total and for each client${from}`, differences: [...new Set(found)] };
}
