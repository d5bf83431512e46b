import { Ajv, MissingRefError, type Options, type ValidateFunction } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import type { DataCheck } from "../casino/decode.ts";
import { type FieldError, fieldError, fromAjv } from "../casino/field-error.ts";
import { unstorable } from "../casino/storable.ts";
import { CommandError } from "../service/command-error.ts";
import { isObject } from "../service/json.ts";
import { reasonOf } from "../service/log.ts";
import { linearPattern } from "./linear-pattern.ts";
import { judgeMultiplesExactly } from "./multiple-of.ts";

/** A schema or type that cannot be registered; the message is one sentence for the person who tried. */
export class RegistrationError extends CommandError {
  override readonly name = "RegistrationError";
}

const maxSchemaBytes = 64 * 1024;

/** One payload can hold hundreds of thousands of values, all invalid. */
const mostErrors = 20;

/** The two ways to check a custom type's `data` by its schema. Neither throws. */
export interface DataChecks {
  /** Stops at the first error: with an ordinary schema, even a recursive one, its time is proportional to the data. */
  readonly first: DataCheck;
  /** Goes on to find all errors, which can take time exponential in the data's depth. Returns at most 20. */
  readonly all: DataCheck;
}

// Unknown keywords and formats are mistakes; the rest of what strict mode forbids is in use.
const options: Options = {
  strict: true,
  strictTypes: false,
  strictTuples: false,
  strictRequired: false,
  // It would test each pattern on the schema's own property names, with the engine that backtracks.
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

/** One version of JSON Schema. The two that its schemas share are made when the first one comes: that takes 100 ms. */
class Dialect {
  readonly make: (allErrors: boolean) => Ajv;
  #shared: { readonly first: Ajv; readonly all: Ajv } | undefined;

  constructor(make: (allErrors: boolean) => Ajv) {
    this.make = make;
  }

  get shared(): { readonly first: Ajv; readonly all: Ajv } {
    this.#shared ??= { first: this.make(false), all: this.make(true) };
    return this.#shared;
  }
}

const dialects: ReadonlyMap<string, Dialect> = new Map([
  ["json-schema.org/draft/2020-12/schema", new Dialect(draft2020)],
  ["json-schema.org/draft-07/schema", new Dialect(draft07)],
]);

/**
 * Compiles a JSON Schema (2020-12, or draft-07 where `$schema` says so) into a check of a custom type's `data`. The check
 * never throws, but its time and memory are unlimited: for producers' data use the `SchemaChecker`.
 * @throws RegistrationError when it cannot be compiled
 */
export function compileDataCheck(schema: unknown): DataCheck {
  const { first, all } = compileDataChecks(schema);
  return (data) => (first(data).length === 0 ? [] : all(data));
}

/** As `compileDataCheck`, both ways. @throws RegistrationError when it cannot be compiled */
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
  const dialect = dialectOf(schema);
  // An id in a schema is registered for the whole ajv, JSON Schema itself included: such a schema gets one of its own.
  const isNamed = /"\$(id|anchor|dynamicAnchor)"/.test(text);
  const first = compile(schema, isNamed ? dialect.make(false) : dialect.shared.first);
  const all = compile(schema, isNamed ? dialect.make(true) : dialect.shared.all);
  return { first: (data) => errorsOf(first, data), all: (data) => errorsOf(all, data) };
}

function errorsOf(validate: ValidateFunction, data: unknown): readonly FieldError[] {
  try {
    return validate(data) ? [] : fromAjv(validate.errors?.slice(0, mostErrors));
  } catch (err) {
    // Circular references do not end.
    if (err instanceof RangeError) return [fieldError("", "cannot be checked: its schema refers to itself")];
    throw err;
  } finally {
    // A failed check may have many errors, which would be kept until the next check.
    validate.errors = null;
  }
}

function compile(schema: Readonly<Record<string, unknown>>, ajv: Ajv): ValidateFunction {
  try {
    // An asynchronous check returns a promise: every event would pass.
    if (schema.$async !== undefined) throw new Error("$async is not supported");
    return ajv.compile<unknown>(schema);
  } catch (err) {
    if (err instanceof MissingRefError)
      throw new RegistrationError(
        `The schema refers to "${err.missingRef}", which is not in it: it can refer only to parts of itself.`,
        { cause: err },
      );
    const reason = reasonOf(err);
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
