/**
 * The fields of one line of CSV (RFC 4180), without the spaces around them. A field in quotes may hold delimiters, and
 * quotes doubled, but no line break: each line is a record, so that a quote that is never closed spoils its line alone.
 * @returns undefined when its quotes are wrong
 */
export function csvFields(line: string, delimiter: string): readonly string[] | undefined {
  const fields: string[] = [];
  for (let at = 0; ; ) {
    const [field, end] = fieldAt(line, at, delimiter);
    if (field === undefined) return undefined;
    fields.push(field);
    if (end >= line.length) return fields;
    at = end + delimiter.length;
  }
}

const quoted = /\s*"((?:[^"]|"")*)"\s*/y;

/** The field that begins there, undefined for none, and where it ends. */
function fieldAt(line: string, at: number, delimiter: string): [field: string | undefined, end: number] {
  quoted.lastIndex = at;
  const match = quoted.exec(line);
  if (match !== null) {
    const end = at + match[0].length;
    const isWhole = end === line.length || line.startsWith(delimiter, end);
    return [isWhole ? match[1]?.replaceAll('""', '"') : undefined, end];
  }
  const next = line.indexOf(delimiter, at);
  const end = next < 0 ? line.length : next;
  const field = line.slice(at, end);
  return [field.includes('"') ? undefined : field.trim(), end];
}
