import { waitFor } from "../harness/wait-for.ts";
import { backlog, drained, recovered } from "./backlog.ts";
import type { Fault, FaultContext } from "./faults/fault.ts";
import { type Findings, together } from "./findings.ts";
import type { Mallory } from "./hostile/mallory.ts";
import { Killer, type UnderWay } from "./killer.ts";

/** The result of one fault: a line of the report. */
export interface RoundResult {
  readonly fault: string;
  /** A description of what happened. */
  readonly seen: string;
  /** Milliseconds from the start of the run to the start of the fault. */
  readonly at: number;
  readonly lastedMs: number;
  /** Events accepted in this round. */
  readonly events: number;
  readonly lost: number;
  readonly doubled: number;
  /** From the fault's end until everything accepted by then had come through; undefined if it never had. */
  readonly recoveredMs: number | undefined;
  /** The bundles under way at each kill. */
  readonly kills: readonly UnderWay[];
  /** Services that ended without having been killed. */
  readonly ends: readonly string[];
  readonly wrong: readonly string[];
}

export interface RoundOptions extends Omit<FaultContext, "killer"> {
  readonly fault: Fault;
  readonly events: number;
  /** Runs from the first event of the round until the load rests. */
  readonly hostile: Mallory | undefined;
  /** `performance.now()` at the run's start. */
  readonly runStarted: number;
  /** Checks everything once the system rests. */
  readonly check: () => Promise<readonly Findings[]>;
}

/** How long the system may take to recover from a fault, and then to process its backlog, in ms. */
const patienceMs = 300_000;

/** One round: load, a fault during it, the recovery, and all checks. */
export async function playRound(options: RoundOptions): Promise<RoundResult> {
  const { fault, events, stack, load, ledger, between, runStarted, hostile } = options;
  const acceptedBefore = ledger.accepted;
  const endsBefore = stack.services.map(({ unasked }) => unasked.length);
  const wrong: string[] = [];
  const note = (error: unknown): undefined => {
    wrong.push(error instanceof Error ? error.message : String(error));
    return undefined;
  };

  load.start(events);
  hostile?.start();
  const share = between(10, 40) / 100;
  await waitFor(() => ledger.accepted - acceptedBefore >= events * share, {
    timeout: load.timeFor(events),
    what: "the load",
  });
  const killer = new Killer(stack.nc);
  const began = performance.now();
  load.keepOn(true);
  const seen =
    (await fault.inject({ ...options, killer }).catch(note)) ?? "the fault could not be brought about";
  load.keepOn(false);
  const over = performance.now();
  const recoveredMs = await recovered(stack, ledger, patienceMs).then(() => performance.now() - over, note);
  await waitFor(() => load.hasSentAll, {
    timeout: load.timeFor(events),
    what: "the rest of the load",
  }).catch(note);
  await hostile?.rest().catch(note);
  await drained(stack, load, patienceMs).catch(note);
  const isStuck = wrong.length > 0 && (await backlog(stack.jsm).catch(String)) !== undefined;
  const findings = together(
    await options.check().catch((error) => [{ lost: 0, doubled: 0, wrong: [String(error)] }]),
  );
  return {
    fault: fault.name,
    seen: isStuck ? `${seen}; stuck` : seen,
    at: began - runStarted,
    lastedMs: over - began,
    events: ledger.accepted - acceptedBefore,
    lost: findings.lost,
    doubled: findings.doubled,
    recoveredMs,
    kills: killer.kills,
    ends: stack.services.flatMap(({ unasked }, index) => unasked.slice(endsBefore[index])),
    wrong: [...wrong, ...ledger.complaints.splice(0), ...findings.wrong],
  };
}
