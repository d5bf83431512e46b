import { type Check, checkNames } from "../../internal/proof/check.ts";
import type { Proof } from "../../internal/proof/proof.ts";
import { table } from "../../internal/service/table.ts";

/** Clients shown; the rest is summed up. */
const mostClients = 20;

/** A proof for people: the terms, the clients, the checks, and the verdict in one line. */
export function printProof(proof: Proof): string {
  const { accepted, finals, clients, streams, checks, at, tookMs } = proof;
  const estimated = accepted.isEstimate ? "≈ " : "";
  const terms: (readonly [string, number, about?: string])[] = [
    [`accepted by CASINO_RAW, in ${number(accepted.messages)} messages`, accepted.accepted, estimated],
    ["  final", accepted.final],
    ["  waiting in a queue", accepted.waiting, estimated],
    ["  dead letters", accepted.dead],
    ["  dead letters sent again to the first step", accepted.sentAgain],
    ["  dead letters discarded", accepted.discarded],
    ["  dead letters erased with a person's data", accepted.erased],
    ["  dropped as copies of others", accepted.copy],
    ["  on the move while this was read", accepted.moving],
    ["  in queues too long to be read, or nowhere", accepted.unread],
    ["  too old for the streams to know", accepted.older],
    ["  nowhere", accepted.lost],
    ["messages in CASINO_EVENTS", finals.messages],
    ["  of them put there again from dead letters", finals.replayed],
  ];
  const style = { right: (column: number) => column > 0, gap: "   " };
  const shown = clients.slice(0, mostClients);
  const sections = [
    table(
      [["", "events"], ...terms.map(([name, count, about = ""]) => [name, `${about}${number(count)}`])],
      style,
    ),
    table(
      streams.map(({ stream, stored, holds }) => [stream, number(stored), number(holds)]),
      { ...style, head: ["stream", "ever stored", "holds"] },
    ),
    table(
      [
        ...shown.map((it) => [
          it.client,
          ...[it.final, it.archived, it.waiting, it.refused, it.missing, it.sentTwice].map(number),
        ]),
        ...(clients.length > shown.length ? [[`and ${clients.length - shown.length} more`]] : []),
      ],
      {
        ...style,
        head: ["client", "final", "in Postgres", "not yet", "refused", "missing", "sent twice"],
      },
    ),
    checks.map(printCheck).join(""),
    `${verdict(proof)} (${at}, ${(tookMs / 1000).toFixed(1)} s)\n`,
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

function verdict({ holds, checks, unchecked }: Proof): string {
  const left = `${unchecked.length} of ${checks.length} checks could not be made: ${unchecked.join(", ")}`;
  const also = unchecked.length > 0 ? `; ${left}` : "";
  const violated = checks.filter((check) => check.verdict === "violated").map(({ name }) => name);
  // Events on their way are not lost.
  if (!holds && violated.every((name) => name === "quiet"))
    return `VIOLATED: events kept coming, or waiting, for longer than --wait; nothing else is wrong${also}`;
  if (!holds)
    return `VIOLATED: not every accepted event is accounted for once (${violated.join(", ")})${also}`;
  return unchecked.length === 0 ? "Proved" : `Nothing is wrong, but ${left}`;
}

const number = (value: number): string => value.toLocaleString("en-US");
