import type { Figures } from "../../internal/overview/figures.ts";
import type { Look } from "../../internal/overview/look.ts";
import { type Part, waitingIn } from "../../internal/overview/picture.ts";
import { counted } from "../../internal/service/counted.ts";
import { table } from "../../internal/service/table.ts";

const states = { up: "running", unready: "not ready", silent: "SILENT", down: "NOT RUNNING" } as const;

/**
 * Formats the picture as text, some 110 columns wide with usual names and numbers. The columns that matter least are the last:
 * a terminal of 80 columns cuts them off. Sentences are wrapped.
 * @param server the address of NATS, in case the user meant another one
 * @param width columns of the terminal
 */
export function viewLines(
  { at, picture, broker, figures }: Look,
  server: string,
  width = Number.POSITIVE_INFINITY,
): string {
  const { sources, steps, readers, rate, letters } = picture;
  const facts = [
    `${at.toISOString().slice(11, 19)} UTC`,
    `${decimal(rate)} events/s`,
    `${waitingIn(picture)?.toLocaleString("en-US") ?? "?"} waiting`,
    letters === null ? "? dead letters" : counted(letters, "dead letter"),
    figures === undefined ? "? events" : counted(figures.events_total, "event"),
  ];
  const parts = [...sources, ...steps, ...readers];
  const head = [
    "",
    "state",
    "events/s",
    "waiting",
    "p99 ms",
    "set aside",
    "instances",
    "unacked",
    "in flight",
    "redelivered",
  ];
  // Without NATS nobody hears of the services, which may well run.
  const isKnown = broker === undefined;
  const nameWidth = Math.max(...parts.map(({ name }) => name.length)) + 2;
  const problems = parts.flatMap(({ name, problems, warnings }) =>
    [...problems, ...warnings].flatMap((sentence) =>
      wrap(sentence, width - nameWidth).map((line, index) => [
        index === 0 ? name.padEnd(nameWidth - 2) : "",
        line,
      ]),
    ),
  );
  const down = new Set(parts.filter(({ health }) => health === "down").map(({ service }) => service));
  const isHeard = parts.some(({ instances }) => instances.length > 0);
  return [
    `${facts.join("   ")}\n`,
    ...(broker === undefined ? [] : wrap(`NATS: ${broker}`, width).map((line) => `${line}\n`)),
    "\n",
    table(
      parts.map((part) => cells(part, isKnown)),
      { head, right: (column) => column >= 2 },
    ),
    ...(problems.length > 0 ? ["\n", table(problems)] : []),
    ...(isKnown && isHeard && down.size > 0
      ? ["\n", table([...down].map((service) => [service, `does not run: npm run ${service}`]))]
      : []),
    ...(isHeard
      ? []
      : [
          "\n",
          ...wrap(`No service reports at ${server}: start one there, or set NATS_URL.`, width).map(
            (line) => `${line}\n`,
          ),
        ]),
    ...(figures === undefined ? ["\nNo materializer answers.\n"] : ["\n", table(leaders(figures))]),
  ].join("");
}

function cells(part: Part, isKnown: boolean): readonly string[] {
  const { name, health, rate, backlog, apart, unacked, in_flight, redelivered, dead_letters, p99_ms } = part;
  const silent = part.instances.filter((instance) => instance.silent).length;
  return [
    name,
    isKnown ? states[health] : "not known",
    decimal(rate),
    backlog === null ? "" : String(backlog + (apart ?? 0)),
    p99_ms === null ? "" : decimal(p99_ms),
    String(dead_letters),
    `${part.instances.length - silent}${silent > 0 ? ` and ${silent} silent` : ""}`,
    unacked === null ? "" : String(unacked),
    String(in_flight),
    String(redelivered),
  ];
}

/** Lines of whole words. */
function wrap(sentence: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of sentence.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** The top three by bets, wins and deposits. */
function leaders(figures: Figures): readonly (readonly string[])[] {
  return (["bets", "wins", "deposits"] as const).map((name) => {
    const players = figures[`top_players_${name}`];
    const first = Array.isArray(players) ? players.slice(0, 3) : [];
    return [`top ${name}`, ...first.map((player) => leader(player, name))];
  });
}

function leader(player: unknown, board: string): string {
  const { id, client_id, count } = Object(player) as Readonly<Record<string, unknown>>; // the materializer's answer, only displayed
  return `#${id} ${client_id} ${board === "deposits" ? `${(Number(count) / 100).toFixed(2)} EUR` : count}`;
}

const decimal = (value: number): string => value.toFixed(value > 0 && value < 9.95 ? 1 : 0);
