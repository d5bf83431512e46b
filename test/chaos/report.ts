import { cpus, totalmem } from "node:os";
import type { ActResult } from "./act.ts";
import { named } from "./faults/catalogue.ts";
import { hostileSummary, hostileTable } from "./hostile/report.ts";
import type { UnderWay } from "./killer.ts";
import type { RoundResult } from "./round.ts";

/** The results of a run. */
export interface Report {
  readonly command: string;
  readonly seed: number;
  readonly date: Date;
  readonly tookMs: number;
  readonly rounds: readonly RoundResult[];
  readonly acts: readonly ActResult[];
  /** Faults that could not run, and why, as sentences. */
  readonly leftOut: readonly string[];
  /** Why a part of the run ended early, as sentences. */
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

/** A round as cells of the table. */
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
    `Copies that reached CASINO_EVENTS, which its readers left out: ${count(sum((act) => act.copiesInLog))}; ` +
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

/** The machine and versions, in one line. */
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
    "`npm run chaos` runs the whole system on its own servers, with two enrichers and three producers (one on NATS, two over",
    "HTTP), and injects faults under load. After each fault it waits until everything is processed, and checks that",
    "",
    "- every accepted event is in Postgres and in the aggregates exactly once, to the letter as an independent oracle has it;",
    "- the logger has printed it;",
    "- every invalid message became one dead letter with its reason, and nothing else became one;",
    "- `npm run prove` finds no violation.",
    "",
    "Producers repeat what is not acknowledged, under the same id. Meanwhile another client's producer attacks them; each of its",
    "messages that `CASINO_RAW` stored became what it must.",
    "",
    "Such a run wrote this page. The seed determines the load, the faults and their order, but not their exact times.",
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
    "- To recover: from the end of the fault until the logger had printed, Postgres had stored and the materializer had folded",
    "  every event accepted by then. The broker redelivers the messages of a killed or disconnected process after `ack_wait`",
    "  (5 s). Events that waited for rates come again by their back-off.",
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
