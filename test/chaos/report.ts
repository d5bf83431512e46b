import { cpus, totalmem } from "node:os";
import type { ActResult } from "./act.ts";
import { named } from "./faults/catalogue.ts";
import { hostileSummary, hostileTable } from "./hostile/report.ts";
import type { UnderWay } from "./killer.ts";
import type { RoundResult } from "./round.ts";

/** What a whole run came to. */
export interface Report {
  readonly command: string;
  readonly seed: number;
  readonly date: Date;
  readonly tookMs: number;
  readonly rounds: readonly RoundResult[];
  readonly acts: readonly ActResult[];
  /** Faults that could not be had, and why, as sentences. */
  readonly leftOut: readonly string[];
  /** What ended a part of the run before its end, as sentences. */
  readonly brokeOff: readonly string[];
}

const columns = [
  "fault",
  "what was seen",
  "at",
  "lasted",
  "events",
  "lost",
  "doubled",
  "to recover",
  "under way when killed",
] as const;

/** One round as the cells of the table. */
export function cells(round: RoundResult): readonly string[] {
  return [
    round.fault,
    round.seen,
    clock(round.at),
    seconds(round.lastedMs),
    count(round.events),
    count(round.lost),
    count(round.doubled),
    round.recoveredMs === undefined ? "never" : seconds(round.recoveredMs),
    underWay(round.kills),
  ];
}

export const header: readonly string[] = columns;

/** Whether nothing was lost, nothing doubled and nothing else wrong. */
export function isClean({ rounds, brokeOff }: Pick<Report, "rounds" | "brokeOff">): boolean {
  return (
    rounds.length > 0 &&
    brokeOff.length === 0 &&
    rounds.every(({ lost, doubled, wrong }) => lost + doubled + wrong.length === 0)
  );
}

/** The sums of the run, in a few lines. */
export function summary({ rounds, acts, tookMs, seed, leftOut, brokeOff }: Report): readonly string[] {
  const sum = (of: (act: ActResult) => number) => acts.reduce((total, act) => total + of(act), 0);
  const total = (of: (round: RoundResult) => number) => rounds.reduce((all, round) => all + of(round), 0);
  const ends = rounds.flatMap((round) => round.ends.map((end) => `${end} during ${round.fault}`));
  return [
    `${count(sum((act) => act.events))} events accepted and ${rounds.length} faults in ${clock(tookMs)}, seed ${seed}: ` +
      `${count(total((round) => round.lost))} lost, ${count(total((round) => round.doubled))} doubled.`,
    `Sent on top: ${count(sum((act) => act.again))} events a second time, ${count(sum((act) => act.invalid))} invalid ` +
      `ones. Refused or unanswered, and sent again until accepted: ${count(sum((act) => act.refused))} requests.`,
    `Second copies that reached CASINO_EVENTS and that its readers left out: ${count(sum((act) => act.copiesInLog))}; ` +
      `lines that the logger printed again: ${count(sum((act) => act.loggedAgain))}.`,
    killsSummary(rounds.flatMap(({ kills }) => kills)),
    ...hostileSummary(acts.flatMap(({ hostile }) => hostile ?? [])),
    ends.length === 0
      ? "No service ended but those that were killed."
      : `Services that ended without being killed, and came back: ${ends.join("; ")}.`,
    ...leftOut,
    ...brokeOff,
  ];
}

/** What it ran on, in one line. */
export function machine({ acts, date }: Report): string {
  const [cpu] = cpus();
  const versions = [...new Set(acts.map(({ serverVersion }) => serverVersion))].join(", ");
  return [
    date.toISOString().slice(0, 10),
    `${cpus().length} × ${cpu?.model.trim() ?? "unknown CPU"}`,
    `${Math.round(totalmem() / 2 ** 30)} GiB`,
    `Node ${process.version}`,
    `nats-server ${versions}`,
  ].join(", ");
}

/** The report as a Markdown page. */
export function markdown(report: Report): string {
  const row = (row: readonly string[]) => `| ${row.join(" | ")} |`;
  const wrong = report.rounds.flatMap((round) => round.wrong.map((what) => `- ${round.fault}: ${what}`));
  const played = new Set(report.rounds.map(({ fault }) => fault));
  return [
    "# Chaos",
    "",
    "`npm run chaos` runs the whole system on servers of its own, with two enrichers and three producers (one on NATS, two over",
    "HTTP), and breaks it under load in every way it knows. After each fault it waits until everything is worked off and",
    "checks: every accepted event is in Postgres once, to the letter as an independent oracle has it, and in the aggregates",
    "once; the logger has printed it; every invalid message became one dead letter with its reason, and nothing else did;",
    "`npm run prove` finds nothing violated. Producers send again what is not acknowledged, under the same id. Another client's",
    "producer attacks them all meanwhile; each message that the door took from it became what it has to, and nobody else's.",
    "",
    "This page was written by such a run. Load, faults and their order come from the seed; the moments do not repeat to",
    "the millisecond.",
    "",
    "```sh",
    report.command,
    "```",
    "",
    `${machine(report)}.`,
    "",
    ...summary(report).map((sentence) => `- ${sentence}`),
    "",
    row(header),
    row(header.map(() => "---")),
    ...report.rounds.map((round) => row(cells(round))),
    "",
    "- Lost and doubled: accepted events that are missing from, or surplus in, Postgres, the aggregates and the dead letters.",
    "- To recover: from the end of the fault until every event accepted by then was printed by the logger, was in Postgres and",
    "  was folded by the materializer. What was in the hands of a process that was killed or cut off, the broker gives to another",
    "  after `ack_wait`, 5 s. Events that waited for rates come again by their back-off.",
    "- Under way when killed: bundles that a step had forwarded and the next step had not acknowledged, read just before each",
    "  `kill -9`, and the events in them. A kill waits up to 3 s for the first.",
    "",
    ...hostileTable(report.acts.flatMap(({ hostile }) => hostile ?? [])),
    "| fault | what is done |",
    "| --- | --- |",
    ...named.filter(({ name }) => played.has(name)).map(({ name, what }) => row([name, what])),
    ...(wrong.length === 0 ? [] : ["", "## What went wrong", "", ...wrong]),
    "",
  ].join("\n");
}

/** The bundles under way at a fault's kills; empty where nothing was killed. */
function underWay(kills: readonly UnderWay[]): string {
  if (kills.length === 0) return "";
  const { bundles, events } = inAll(kills);
  const what = `${counted(bundles, "bundle")} (${counted(events, "event")})`;
  return kills.length === 1 ? what : `${kills.length} kills: ${what}`;
}

function killsSummary(kills: readonly UnderWay[]): string {
  const { bundles, events } = inAll(kills);
  const busy = kills.filter((kill) => kill.bundles > 0).length;
  return (
    `Under way at ${counted(kills.length, "kill")}: ${counted(bundles, "bundle")} with ${counted(events, "event")}. ` +
    `${count(busy)} of the kills met at least one.`
  );
}

function inAll(kills: readonly UnderWay[]): UnderWay {
  return {
    bundles: kills.reduce((sum, { bundles }) => sum + bundles, 0),
    events: kills.reduce((sum, { events }) => sum + events, 0),
  };
}

function counted(value: number, what: string): string {
  return `${count(value)} ${what}${value === 1 ? "" : "s"}`;
}

function count(value: number): string {
  return value.toLocaleString("en");
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function clock(ms: number): string {
  const whole = Math.round(ms / 1000);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
