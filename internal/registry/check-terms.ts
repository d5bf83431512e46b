import type { FieldError } from "../casino/field-error.ts";

/** Given to the thread at its start. */
export interface ThreadSettings {
  /** One Int32: where the thread is. */
  readonly place: SharedArrayBuffer;
}

/** It has not started with any datum. */
export const notBegun = -1;
/** It compiles the schema of the datum with this index. */
export const compiling = (index: number): number => index * 2;
/** It checks the datum with this index. */
export const checking = (index: number): number => index * 2 + 1;
/** The reverse. */
export const indexAt = (place: number): number => place >> 1;
export const isCompiling = (place: number): boolean => place % 2 === 0;

/** A datum to be checked: JSON text, the digest of its schema, and the type of its event, for sentences. */
export interface Datum {
  readonly type: string;
  readonly digest: string;
  readonly text: string;
}

/** Work for the thread. */
export interface Job {
  /** New schemas as JSON text, by digest. */
  readonly schemas: readonly (readonly [digest: string, schema: string])[];
  /** Digests of schemas that no type has any more. */
  readonly forgotten: readonly string[];
  readonly data: readonly Datum[];
  /** After this many ms the thread stops between two data and returns the rest. */
  readonly sliceMs: number;
}

/** A datum is invalid. May come twice for one datum: at once with the first error, then with all of them. */
export interface Refused {
  readonly index: number;
  readonly errors: readonly FieldError[];
}

/** The job has ended: of its first `checked` data, those not refused are valid. */
export interface Done {
  readonly checked: number;
  /** CPU time. */
  readonly tookMs: number;
}
