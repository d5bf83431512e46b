/** Whether a value parsed from JSON is an object: no array, and not null. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Parses a text that anybody may have written; undefined when it is no JSON. */
export function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Parses JSON and keeps every number as its text: 1.0684000000000000001 is not cut to a double. @throws SyntaxError */
export function parseWithDigits(text: string): unknown {
  // TypeScript's library does not declare the third argument yet.
  return JSON.parse(text, (_key, value: unknown, context?: { readonly source?: string }) =>
    typeof value === "number" ? (context?.source ?? String(value)) : value,
  );
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** As `readJson`, for bytes, which may not be UTF-8 either. */
export function readJsonBytes(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch {
    return undefined;
  }
}

/** Whether a value is an integer from 1 to 2^53-1. */
export function isPositiveInteger(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 1;
}
