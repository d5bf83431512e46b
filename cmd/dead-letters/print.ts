import type { DryRunResult } from "../../internal/dead-letters/dry-run.ts";
import type { LetterGroup, Survey } from "../../internal/dead-letters/survey.ts";
import { isTraceparent } from "../../internal/messages/envelope.ts";
import { errorsOf, type Letter, type LetterHead, sourceOf } from "../../internal/messages/letter.ts";
import { counted } from "../../internal/service/counted.ts";
import { table } from "../../internal/service/table.ts";
import { forTerminal, onOneLine } from "../../internal/service/terminal.ts";

/** The longest valid client id; whoever bypasses the gateway may write a longer one. */
const mostClientChars = 40;

/** What `list` shows: the counts, then the newest letters. @param isFiltered whether only some were asked for */
export function printSurvey({ total, groups, newest }: Survey, isFiltered: boolean): string {
  if (total === 0) return `There are no ${isFiltered ? "such " : ""}dead letters.\n`;
  const counts = groups.map((group) => [String(group.count), ...namesOf(group)]);
  const letters = newest.map((head) => [
    String(head.seq),
    head.at,
    ...namesOf(head),
    String(head.replays),
    onOneLine(head.error).slice(0, 100),
  ]);
  return [
    table(counts, { head: ["count", "reason", "step", "client"] }),
    `\n${newest.length === total ? (total === 1 ? "The only one" : `All ${total}`) : `The newest ${newest.length} of ${total}`}:\n\n`,
    table(letters, { head: ["seq", "at", "reason", "step", "client", "replays", "error"] }),
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
    ...facts
      .filter(([, value]) => value)
      .map(([name, value]) => `${name.padEnd(12)}${onOneLine(value ?? "")}\n`),
    `\nError:\n${table(errors, { indent: "  " })}`,
    `\nHeaders:\n${table(headers, { indent: "  " })}`,
    `\nPayload (${counted(letter.bytes, "byte")}):\n${printPayload(letter.payload)}\n`,
  ].join("");
}

export function printDryRun(seq: number, result: DryRunResult): string {
  if (result.would === "pass") return `${seq} would pass\n`;
  const reason = result.would === "fail" && result.reason !== undefined ? ` again as ${result.reason}` : "";
  return `${seq} would ${result.would}${reason}: ${onOneLine(result.because)}\n`;
}

const strict = new TextDecoder("utf-8", { fatal: true });

function printPayload(payload: Uint8Array): string {
  try {
    return forTerminal(strict.decode(payload));
  } catch {
    return `not UTF-8, in base64: ${Buffer.from(payload).toString("base64")}`;
  }
}

function namesOf({ reason, step, client }: LetterHead | LetterGroup): string[] {
  return [onOneLine(reason || "(no letter)"), onOneLine(step), onOneLine(client).slice(0, mostClientChars)];
}
