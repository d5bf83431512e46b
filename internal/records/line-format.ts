import { CommandError } from "../service/command-error.ts";
import { csvFields } from "./csv-line.ts";
import type { ClientRecord, RecordKind } from "./record.ts";

/** A line that cannot be read at all; the message continues "line 3: ". */
export class LineError extends Error {
  override readonly name = "LineError";
}

/** Parses a line into the value that is checked against the schema. @throws LineError */
export type ReadLine = (line: string) => unknown;

/**
 * How to parse a file's lines, by its first non-blank line: NDJSON when that is an object, which is then a record,
 * otherwise CSV with that line as its header.
 * @throws CommandError when it is neither
 */
export function lineFormat<T extends ClientRecord>(
  first: string,
  kind: RecordKind<T>,
): { readonly readLine: ReadLine; readonly isRecord: boolean } {
  const start = first.trimStart().charAt(0);
  if (start === "{") return { readLine: json, isRecord: true };
  if (start === "[")
    throw new CommandError(
      "The file begins with a JSON array: write each record on a line of its own (NDJSON).",
    );
  return { readLine: csv(first, kind), isRecord: false };
}

function json(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (err) {
    throw new LineError("is not JSON", { cause: err });
  }
}

function csv<T extends ClientRecord>(header: string, { schema, columns }: RecordKind<T>): ReadLine {
  const names = ["id", ...Object.keys(columns)];
  const delimiter = header.split(";").length > header.split(",").length ? ";" : ",";
  const found = (csvFields(header, delimiter) ?? []).map((field) => field.toLowerCase());
  const required: readonly string[] = schema.required ?? [];
  const missing = required.filter((name) => !found.includes(name));
  if (missing.length > 0)
    throw new CommandError(
      `The first line has to name the columns, separated by commas or semicolons: ${missing.join(" and ")} ${missing.length === 1 ? "is" : "are"} missing. ` +
        `It may have ${names.join(", ")}; others are ignored.`,
    );
  const twice = names.find((name) => found.indexOf(name) !== found.lastIndexOf(name));
  if (twice !== undefined) throw new CommandError(`The first line names the column ${twice} twice.`);
  const places = names.flatMap((name) =>
    found.includes(name) ? [[name, found.indexOf(name)] as const] : [],
  );
  return (line) => {
    const fields = csvFields(line, delimiter);
    if (fields === undefined)
      throw new LineError(
        "has a quote that is not closed, or stands inside a field: write it twice, in quotes",
      );
    if (fields.length !== found.length)
      throw new LineError(`has ${fields.length} fields, the first line ${found.length}`);
    // An empty field counts as absent: a required one is then reported as missing.
    const given = places.flatMap(([name, place]) => (fields[place] ? [[name, fields[place]] as const] : []));
    return Object.fromEntries(
      given.map(([name, text]) => [name, name === "id" && /^\d{1,16}$/.test(text) ? Number(text) : text]),
    );
  };
}
