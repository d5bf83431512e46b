import { type Check, checkNames } from "./check.ts";
import type { Proof } from "./proof.ts";

/** Clients shown; more are summed up. */
const mostClients = 20;

/** A proof for people: the terms, the clients, the checks, and the verdict in one line. */
export function printProof({ accepted, finals, clients, streams, checks, holds, at, tookMs }: Proof): string {
  const terms: (readonly [string, number])[] = [
    ["accepted by CASINO_RAW", accepted.accepted],
    ["  final", accepted.final],
    ["  waiting in a queue", accepted.waiting],
    ["  dead letters", accepted.dead],
    ["  dead letters sent again to the first step", accepted.sentAgain],
    ["  dead letters discarded", accepted.discarded],
    ["  dropped as copies of others", accepted.copy],
    ["  on the move while this was read", accepted.moving],
    ["  in queues too long to be read, or nowhere", accepted.unread],
    ["  too old for the streams to know", accepted.older],
    ["  nowhere", accepted.lost],
    ["messages in CASINO_EVENTS", finals.messages],
    ["  of them put there again from dead letters", finals.replayed],
  ];
  const shown = clients.slice(0, mostClients);
  const sections = [
    table([["", "events"], ...terms.map(([name, count]) => [name, number(count)])]),
    table([
      ["stream", "ever stored", "holds"],
      ...streams.map(({ stream, stored, holds }) => [stream, number(stored), number(holds)]),
    ]),
    table([
      ["client", "final", "in Postgres", "not yet", "refused", "missing", "sent twice"],
      ...shown.map((it) => [
        it.client,
        ...[it.final, it.archived, it.waiting, it.refused, it.missing, it.sentTwice].map(number),
      ]),
      ...(clients.length > shown.length ? [[`and ${clients.length - shown.length} more`]] : []),
    ]),
    checks.map(printCheck).join(""),
    `${verdict(holds, checks)} (${at}, ${(tookMs / 1000).toFixed(1)} s)\n`,
  ];
  return sections.join("\n");
}

const indent = " ".repeat(4);
const marks = { holds: "ok           ", violated: "VIOLATED     ", unchecked: "not checked  " } as const;

const nameWidth = Math.max(...checkNames.map((name) => name.length));

function printCheck({ name, verdict: mark, sentence, count, names }: Check): string {
  const many = count > 0 ? ` ${number(count)}:` : "";
  const rest = count > names.length ? [`and ${number(count - names.length)} more`] : [];
  const lines = count > 0 ? [...names, ...rest].map((line) => `${indent}${line}\n`) : [];
  return `${marks[mark]}${name.padEnd(nameWidth)}  ${sentence}${many}\n${lines.join("")}`;
}

function verdict(holds: boolean, checks: readonly Check[]): string {
  const left = checks.filter((check) => check.verdict === "unchecked").length;
  if (!holds) return "VIOLATED: not every accepted event is accounted for once";
  return left === 0 ? "Proved" : `Nothing is wrong, but ${left} of ${checks.length} checks could not be made`;
}

const number = (value: number): string => value.toLocaleString("en-US");

/** Columns under their headings: the first to the left, numbers to the right. */
function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows)
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart((widths[column] ?? 0) + 3),
        )
        .join("")
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join("");
}
