import { isTraceparent } from "../actor/envelope.ts";
import type { Forecast } from "./forecast.ts";
import { errorsOf, type Letter, type LetterHead, sourceOf } from "./letter.ts";
import type { LetterGroup, Survey } from "./survey.ts";

/** The most that a client's id may have; whoever publishes past the gateway may write more there. */
const mostClientChars = 40;

/** What `list` shows: the counts, then the newest letters. */
export function printSurvey({ total, groups, newest }: Survey): string {
  if (total === 0) return "There are no such dead letters.\n";
  const counts = groups.map((group) => [String(group.count), ...namesOf(group)]);
  const letters = newest.map((head) => [
    String(head.seq),
    head.at,
    ...namesOf(head),
    String(head.replays),
    plain(head.error).slice(0, 100),
  ]);
  return [
    table(["count", "reason", "step", "client"], counts),
    `\n${newest.length === total ? (total === 1 ? "The only one" : `All ${total}`) : `The newest ${newest.length} of ${total}`}:\n\n`,
    table(["seq", "at", "reason", "step", "client", "replays", "error"], letters),
  ].join("");
}

/** What `show` shows. */
export function printLetter(letter: Letter): string {
  const traceparent = letter.headers.get("traceparent");
  const trace = isTraceparent(traceparent) ? traceparent.split("-")[1] : undefined;
  const facts: readonly (readonly [string, string | undefined])[] = [
    ["seq", String(letter.seq)],
    ["at", letter.at],
    ["reason", letter.reason],
    ["step", letter.step],
    ["client", letter.client],
    ["source", sourceOf(letter)],
    ["failed on", letter.failedOn],
    ["deliveries", String(letter.deliveries)],
    ["replays", String(letter.replays)],
    ["trace", trace],
  ];
  const errors = errorsOf(letter).map(({ path, message }) => [path, message]);
  const headers = [...letter.headers.entries()].map(([name, value]) => [`${name}:`, value]);
  return [
    ...facts.filter(([, value]) => value).map(([name, value]) => `${name.padEnd(12)}${plain(value ?? "")}\n`),
    `\nError:\n${table(undefined, errors, "  ")}`,
    `\nHeaders:\n${table(undefined, headers, "  ")}`,
    `\nPayload (${letter.bytes} ${letter.bytes === 1 ? "byte" : "bytes"}):\n${printPayload(letter.payload)}\n`,
  ].join("");
}

/** One line on what would become of a letter. */
export function printForecast(seq: number, forecast: Forecast): string {
  if (forecast.would === "pass") return `${seq} would pass\n`;
  const reason =
    forecast.would === "fail" && forecast.reason !== undefined ? ` again as ${forecast.reason}` : "";
  return `${seq} would ${forecast.would}${reason}: ${plain(forecast.because)}\n`;
}

const strict = new TextDecoder("utf-8", { fatal: true });

function printPayload(payload: Uint8Array): string {
  try {
    return plain(strict.decode(payload), /[\p{Cc}\p{Cf}]/gu, "\n\t");
  } catch {
    return `not UTF-8, in base64: ${Buffer.from(payload).toString("base64")}`;
  }
}

/** What producers sent, fit for a terminal: control characters, which could steer it, become escapes. */
export function plain(text: string, steering = /[\p{Cc}\p{Cf}]/gu, kept = ""): string {
  return text.replace(steering, (char) =>
    kept.includes(char) ? char : `\\u${(char.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`,
  );
}

function namesOf({ reason, step, client }: LetterHead | LetterGroup): string[] {
  return [plain(reason || "(no letter)"), plain(step), plain(client).slice(0, mostClientChars)];
}

function table(
  head: readonly string[] | undefined,
  rows: readonly (readonly string[])[],
  indent = "",
): string {
  const lines = [...(head === undefined ? [] : [head]), ...rows.map((row) => row.map((cell) => plain(cell)))];
  const columns = lines[0]?.length ?? 0;
  // Not Math.max over the spread: there may be 10,000 lines.
  const widths = Array.from({ length: columns - 1 }, (_, column) =>
    lines.reduce((width, line) => Math.max(width, line[column]?.length ?? 0), 0),
  );
  return lines
    .map((line) =>
      `${indent}${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join("");
}
