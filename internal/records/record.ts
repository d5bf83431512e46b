import type { Static, TObject } from "typebox";
import { type FieldError, fromAjv } from "../casino/field-error.ts";
import { compileOwnSchema } from "../casino/own-schema.ts";

/** Something that a client keeps here under an id of its own, such as a player. */
export interface ClientRecord {
  readonly id: number;
}

/** A record, or at least one error. */
export type Read<T> =
  | { readonly ok: true; readonly record: T }
  | { readonly ok: false; readonly errors: readonly FieldError[] };

/** The records of one kind. All kinds share routes and commands. */
export interface RecordKind<T extends ClientRecord> {
  readonly one: string;
  /** For people, and the name of table, route and command: "players". */
  readonly many: "players" | "games";
  /** `id` and the fields; unknown keys are ignored. */
  readonly schema: TObject;
  /** The fields beside `id`, with their types in Postgres. */
  readonly columns: Readonly<Record<Exclude<keyof T & string, "id">, "text" | "timestamptz">>;
  /** Reads a record from a parsed JSON value. A record is replaced whole: absent fields are empty afterwards. */
  readonly read: (value: unknown) => Read<T>;
}

/** Stores the records of one kind, for all clients. Every method rejects with `Unavailable` while it is away. */
export interface RecordStore<T extends ClientRecord> {
  /** Adds the records or replaces those with the same id; of two with one id the later counts. @returns how many are new */
  put(client: string, records: readonly T[], signal: AbortSignal): Promise<number>;
  find(client: string, id: number, signal: AbortSignal): Promise<T | undefined>;
  /** The next records by id, up to the limit. @param after an id, 0 to begin */
  list(client: string, after: number, limit: number, signal: AbortSignal): Promise<readonly T[]>;
  /** @returns whether it existed */
  remove(client: string, id: number, signal: AbortSignal): Promise<boolean>;
}

/**
 * A reader that reports all errors of a value together.
 * @param build makes the record from what the schema accepted, and adds what the schema cannot see to `errors`
 */
export function recordReader<S extends TObject, T>(
  schema: S,
  build: (value: Static<S>, errors: FieldError[]) => T,
): (value: unknown) => Read<T> {
  const validate = compileOwnSchema(schema);
  return (value) => {
    if (!validate(value)) return { ok: false, errors: fromAjv(validate.errors) };
    const errors: FieldError[] = [];
    const record = build(value, errors);
    return errors.length === 0 ? { ok: true, record } : { ok: false, errors };
  };
}

/** The `id` of a record's schema. */
export const idForm = { minimum: 1, maximum: Number.MAX_SAFE_INTEGER };

/** Parses an id from a path, a file or a command line; undefined when it is invalid. */
export function readId(text: string): number | undefined {
  const id = /^[1-9]\d{0,15}$/.test(text) ? Number(text) : 0;
  return id >= idForm.minimum && id <= idForm.maximum ? id : undefined;
}
