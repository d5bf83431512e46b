/**
 * The fields of one line of CSV (RFC 4180), without surrounding spaces. A quoted field may contain delimiters and doubled
 * quotes, but no line break: each line is a record, so that an unclosed quote spoils only its own line.
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

/** The field that starts here, undefined for an invalid one, and where it ends. */
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
