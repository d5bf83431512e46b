import type { ErrorObject } from "ajv";

/** What is wrong with one place of an event: a JSON pointer (RFC 6901), "" for the whole, and half a sentence. */
export interface FieldError {
  readonly path: string;
  readonly message: string;
}

const MAX_PATH = 100;

/**
 * A field error whose path is fit for a header and a log line: keys are the sender's and may be a megabyte long, so a
 * path above 100 characters ends at the last of its ancestors that fits.
 */
export function fieldError(path: string, message: string): FieldError {
  if (path.length <= MAX_PATH) return { path, message };
  return { path: path.slice(0, Math.max(path.lastIndexOf("/", MAX_PATH), 0)), message };
}

/** Several errors as one sentence, without its full stop. */
export const errorsText = (errors: readonly FieldError[]): string =>
  errors.map(({ path, message }) => `${path} ${message}`.trim()).join("; ");

/** The errors of an ajv validation. The path of a missing key names the key. */
export function fromAjv(errors: readonly ErrorObject[] | null | undefined): FieldError[] {
  return (errors ?? []).map((error) => {
    const missing: unknown = error.keyword === "required" ? error.params.missingProperty : undefined;
    const path =
      typeof missing === "string" ? `${error.instancePath}/${escapeKey(missing)}` : error.instancePath;
    return fieldError(path, error.message ?? `must pass ${error.keyword}`);
  });
}

/** One key as a segment of a JSON pointer. */
export function escapeKey(key: string): string {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}
