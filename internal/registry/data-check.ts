import { Ajv, MissingRefError, type Options, type ValidateFunction } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import type { DataCheck } from "../casino/decode.ts";
import { type FieldError, fieldError, fromAjv } from "../casino/field-error.ts";
import { unstorable } from "../casino/storable.ts";
import { CommandError } from "../service/command-error.ts";
import { linearPattern } from "./linear-pattern.ts";
import { judgeMultiplesExactly } from "./multiple-of.ts";

/** A schema or a type that cannot be registered; the message is one sentence for whoever tried. */
export class RegistrationError extends CommandError {
  override readonly name = "RegistrationError";
}

export const maxSchemaBytes = 64 * 1024;

/** One payload can hold hundreds of thousands of values, each of them wrong. */
const mostErrors = 20;

/** The two ways to check a custom type's `data` by its schema. Neither throws. */
export interface DataChecks {
  /** Stops at the first flaw: an ordinary schema, one that refers to itself included, is checked in time by the data. */
  readonly first: DataCheck;
  /** Goes on to find every flaw, which can take time by the power of the data's depth. At most 20 are given. */
  readonly all: DataCheck;
}

// Unknown keywords and formats are mistakes; what else strict mode forbids is in use.
const options: Options = {
  strict: true,
  strictTypes: false,
  strictTuples: false,
  strictRequired: false,
  // It would try each pattern on the schema's own property names, by the engine that backtracks.
  allowMatchingProperties: true,
  ownProperties: true,
  logger: false,
  code: { regExp: linearPattern },
};
const draft2020 = (allErrors: boolean): Ajv =>
  // It follows $anchor, but would call it unknown.
  completed(new Ajv2020({ ...options, allErrors, keywords: ["$anchor"] }));
const draft07 = (allErrors: boolean): Ajv => completed(new Ajv({ ...options, allErrors }));

function completed(ajv: Ajv): Ajv {
  judgeMultiplesExactly(ajv);
  return formats.default(ajv);
}

interface Dialect {
  readonly make: (allErrors: boolean) => Ajv;
  readonly shared: { readonly first: Ajv; readonly all: Ajv };
}

const dialects: ReadonlyMap<string, Dialect> = new Map(
  [
    ["json-schema.org/draft/2020-12/schema", draft2020] as const,
    ["json-schema.org/draft-07/schema", draft07] as const,
  ].map(([uri, make]) => [uri, { make, shared: { first: make(false), all: make(true) } }]),
);

/**
 * Makes of a JSON Schema (2020-12, or draft-07 where `$schema` says so) the check of a custom type's `data`. The check
 * never throws, but nothing bounds its time and memory: data of producers is for the `SchemaChecker`.
 * @throws RegistrationError when no check can be made of it
 */
export function compileDataCheck(schema: unknown): DataCheck {
  const { first, all } = compileDataChecks(schema);
  return (data) => (first(data).length === 0 ? [] : all(data));
}

/** As `compileDataCheck`, both ways. @throws RegistrationError when no check can be made of it */
export function compileDataChecks(schema: unknown): DataChecks {
  if (!isObject(schema)) throw new RegistrationError("The schema must be a JSON object.");
  const flaw = unstorable(schema, "");
  if (flaw !== undefined)
    throw new RegistrationError(`The schema cannot be kept: ${`${flaw.path} ${flaw.message}`.trim()}.`);
  const text = JSON.stringify(schema);
  if (Buffer.byteLength(text) > maxSchemaBytes)
    throw new RegistrationError(`The schema must be at most ${maxSchemaBytes / 1024} KiB.`);
  if (schema.type !== "object")
    throw new RegistrationError(
      'The schema must have "type": "object" at its top: data is always an object.',
    );
  const { make, shared } = dialectOf(schema);
  // What a schema names is named for all of one ajv, JSON Schema itself included: such a schema gets one of its own.
  const isNamed = /"\$(id|anchor|dynamicAnchor)"/.test(text);
  const first = compile(schema, isNamed ? make(false) : shared.first);
  const all = compile(schema, isNamed ? make(true) : shared.all);
  return { first: (data) => errorsOf(first, data), all: (data) => errorsOf(all, data) };
}

function errorsOf(validate: ValidateFunction, data: unknown): readonly FieldError[] {
  try {
    return validate(data) ? [] : fromAjv(validate.errors?.slice(0, mostErrors));
  } catch (err) {
    // References in a circle find no end.
    if (err instanceof RangeError) return [fieldError("", "cannot be checked: its schema refers to itself")];
    throw err;
  } finally {
    // Of one that failed there may be many, and they would be kept until the next check.
    validate.errors = null;
  }
}

function compile(schema: Readonly<Record<string, unknown>>, ajv: Ajv): ValidateFunction {
  try {
    // An asynchronous check answers with a promise: every event would pass.
    if (schema.$async !== undefined) throw new Error("$async is not supported");
    return ajv.compile<unknown>(schema);
  } catch (err) {
    if (err instanceof MissingRefError)
      throw new RegistrationError(
        `The schema refers to "${err.missingRef}", which is not in it: it can refer only to parts of itself.`,
        { cause: err },
      );
    const reason = err instanceof Error ? err.message : String(err);
    throw new RegistrationError(`The schema cannot be compiled: ${reason}.`, { cause: err });
  } finally {
    ajv.removeSchema(schema);
  }
}

function dialectOf({ $schema }: Readonly<Record<string, unknown>>) {
  const uri = $schema ?? "https://json-schema.org/draft/2020-12/schema";
  const dialect = dialects.get(String(uri).replace(/^https?:\/\/|#$/g, ""));
  if (dialect === undefined)
    throw new RegistrationError(
      'The schema must have a $schema of "https://json-schema.org/draft/2020-12/schema" (also when it has none) or "http://json-schema.org/draft-07/schema#".',
    );
  return dialect;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
