import { isObject, readJson } from "./json.ts";
import { forTerminal, onOneLine } from "./terminal.ts";

/** Fields that are not appended as `name=value`. */
const known = new Set(["level", "time", "service", "pid", "msg", "because", "err"]);
/** Levels at which an unexpected error shows its stack. */
const bad: ReadonlySet<unknown> = new Set(["error", "fatal"]);

type Entry = Readonly<Record<string, unknown>>;

/** Parses a line of a log; undefined if it is not one, such as the output of a crash. */
export function logEntry(line: string): Entry | undefined {
  const entry = readJson(line);
  return isObject(entry) && "level" in entry ? entry : undefined;
}

/** An entry as one line for people: time, service, level unless it is info, message, and reason. */
export function logText(entry: Entry): string {
  const [time, service, msg, because] = ["time", "service", "msg", "because"].map((name) =>
    textOf(entry[name]),
  );
  const level = entry.level === "info" ? "" : ` ${String(entry.level).toUpperCase()}`;
  return onOneLine(
    `${time?.slice(11, 19)} ${service}${level}: ${msg}${because === "" ? "" : ` (${because})`}`,
  );
}

/** As `logText`, with the entry's other fields, and the stack of a bug on its own lines. */
export function wholeLogText(entry: Entry): string {
  const fields = Object.entries(entry)
    .filter(([name]) => !known.has(name))
    .map(([name, value]) => `${name}=${textOf(value)}`);
  const err = (entry.err ?? {}) as Entry; // only displayed
  const message = textOf(err.message);
  const text = logText(entry);
  const why = message === "" || text.includes(onOneLine(message)) ? [] : [`(${message})`];
  const line = onOneLine([text, ...why, ...fields].join(" "));
  const stack = bad.has(entry.level) ? textOf(err.stack) : "";
  return stack === "" ? `${line}\n` : `${line}\n${forTerminal(stack)}\n`;
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
