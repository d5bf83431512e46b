import type { Static, TSchema } from "typebox";
import type { CasinoEvent } from "./event.ts";
import { type FieldError, fieldError, fromAjv } from "./field-error.ts";
import { compileOwnSchema } from "./own-schema.ts";
import { anySchema } from "./schema.ts";
import { unstorable } from "./storable.ts";
import { parseTimestamp } from "./timestamp.ts";

export type Refusal = "invalid_json" | "invalid_event" | "unknown_type";

/** An event, or why there is none: then with at least one error. */
export type Decoded =
  | { readonly ok: true; readonly event: CasinoEvent }
  | { readonly ok: false; readonly reason: Refusal; readonly errors: readonly FieldError[] };

/** Says what is wrong with the `data` of a custom event, by paths that start at `data` ("" is `data` itself). */
export type DataCheck = (data: unknown) => readonly FieldError[];

export type Json = Readonly<Record<string, unknown>>;

/** Turns a JSON object into an event of one kind. The check is for the `data` of custom ones. */
export type Reader = (value: Json, check?: DataCheck) => Decoded;

/**
 * Makes an event of what a schema let pass.
 *
 * @param created_at in its final form; "" when the one sent does not exist, which `errors` then holds
 * @param errors takes what the schema cannot see: with any in it, the event is not used
 */
export type Build<T> = (value: T, created_at: string, errors: FieldError[]) => CasinoEvent;

/** A reader that reports all errors of an object together: the schema's, the build's and the check's. */
export function reader<S extends TSchema>(schema: S, build: Build<Static<S>>): Reader {
  const validate = compileOwnSchema(schema);
  return (value, check) => {
    const candidate: unknown = value;
    const isValid = validate(candidate);
    const errors = isValid ? [] : fromAjv(validate.errors);
    const created_at = timestamp(value.created_at, "/created_at", errors);
    if (check !== undefined) errors.push(...dataErrors(value.data, check));
    if (!isValid) return refuse("invalid_event", errors);
    const event = build(candidate, created_at, errors);
    return errors.length === 0 ? { ok: true, event } : refuse("invalid_event", errors);
  };
}

const validateAny = compileOwnSchema(anySchema);

/** What is wrong with an object whose `type` is missing or cannot be one: that, and whatever else is certain. */
export function untypedErrors(value: Json): readonly FieldError[] {
  validateAny(value);
  const errors = fromAjv(validateAny.errors);
  timestamp(value.created_at, "/created_at", errors);
  return errors;
}

export function refuse(reason: Refusal, errors: readonly FieldError[]): Decoded {
  return { ok: false, reason, errors };
}

/** A timestamp in its final form; "" for what is none. The error is added for a text only: of others the schema tells. */
export function timestamp(value: unknown, path: string, errors: FieldError[]): string {
  if (typeof value !== "string") return "";
  const parsed = parseTimestamp(value);
  if (parsed === undefined) errors.push(fieldError(path, "must be an existing RFC 3339 date-time"));
  return parsed ?? "";
}

// One payload can hold hundreds of thousands of values, each of them wrong.
const MAX_DATA_ERRORS = 20;

function dataErrors(data: unknown, check: DataCheck): readonly FieldError[] {
  if (typeof data !== "object" || data === null || Array.isArray(data)) return [];
  const error = unstorable(data, "/data");
  if (error !== undefined) return [error];
  return inData(check(data));
}

const inData = (errors: readonly FieldError[]): readonly FieldError[] =>
  errors.slice(0, MAX_DATA_ERRORS).map(({ path, message }) => fieldError(`/data${path}`, message));

/** What was read with a check that let everything pass, and the errors of one that was made later. */
export function withDataErrors(decoded: Decoded, errors: readonly FieldError[]): Decoded {
  if (errors.length === 0) return decoded;
  return refuse("invalid_event", [...(decoded.ok ? [] : decoded.errors), ...inData(errors)]);
}
