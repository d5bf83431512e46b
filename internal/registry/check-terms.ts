import type { FieldError } from "../casino/field-error.ts";

/** What the thread is told at its start. */
export interface ThreadSettings {
  /** One Int32: where the thread is. */
  readonly place: SharedArrayBuffer;
}

/** It has not begun with a datum since it was started. */
export const notBegun = -1;
/** It compiles the schema of the datum with this index. */
export const compiling = (index: number): number => index * 2;
/** It checks the datum with this index. */
export const checking = (index: number): number => index * 2 + 1;
/** The other way round. */
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
  /** Schemas as JSON text by digest, those that the thread does not have yet. */
  readonly schemas: readonly (readonly [digest: string, schema: string])[];
  /** Digests of schemas that no type has any more. */
  readonly forgotten: readonly string[];
  readonly data: readonly Datum[];
  /** After so many ms the thread stops between two data, and gives the rest back. */
  readonly sliceMs: number;
}

/** A datum is refused. It may come twice for one datum: with the first flaw at once, then with all of them. */
export interface Refused {
  readonly index: number;
  readonly errors: readonly FieldError[];
}

/** The job is at its end: of its first `checked` data, those that were not refused are good. */
export interface Done {
  readonly checked: number;
  /** Of the processor. */
  readonly tookMs: number;
}
