import { Ajv, MissingRefError, type Options } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import type { DataCheck } from "../casino/decode.ts";
import { fieldError, fromAjv } from "../casino/field-error.ts";
import { unstorable } from "../casino/storable.ts";
import { costlyPart, withinTime } from "./check-time.ts";

/** A schema or a type that cannot be registered; the message is one sentence for whoever tried. */
export class RegistrationError extends Error {
  override readonly name = "RegistrationError";
}

export const maxSchemaBytes = 64 * 1024;

/** How long the check of one event's data may take, where the schema does not bound it. */
const maxCheckMs = 500;

// Unknown keywords and formats are mistakes; what else strict mode forbids is in use.
const options: Options = {
  strict: true,
  strictTypes: false,
  strictTuples: false,
  strictRequired: false,
  allErrors: true,
  ownProperties: true,
  logger: false,
};
// It follows $anchor, but would call it unknown.
const draft2020 = () => formats.default(new Ajv2020({ ...options, keywords: ["$anchor"] }));
const draft07 = () => formats.default(new Ajv(options));

const dialects: ReadonlyMap<string, { readonly make: () => Ajv; readonly shared: Ajv }> = new Map([
  ["json-schema.org/draft/2020-12/schema", { make: draft2020, shared: draft2020() }],
  ["json-schema.org/draft-07/schema", { make: draft07, shared: draft07() }],
]);

/**
 * Makes of a JSON Schema (2020-12, or draft-07 where `$schema` says so) the check of a custom type's `data`. The check
 * never throws; of a schema whose check may take long, it gives up after half a second.
 * @throws RegistrationError when no check can be made of it
 */
export function compileDataCheck(schema: unknown): DataCheck {
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
  const validate = compile(schema, text);
  const check: DataCheck = (data) => {
    try {
      return validate(data) ? [] : fromAjv(validate.errors);
    } catch (err) {
      // References in a circle find no end.
      if (err instanceof RangeError)
        return [fieldError("", "cannot be checked: its schema refers to itself")];
      throw err;
    }
  };
  if (costlyPart(schema) === undefined) return check;
  return withinTime(maxCheckMs, check, () => [
    fieldError("", `cannot be checked against its schema within ${maxCheckMs} ms`),
  ]);
}

function compile(schema: Readonly<Record<string, unknown>>, text: string) {
  const { make, shared } = dialectOf(schema);
  // What a schema names is named for all of one ajv, JSON Schema itself included: such a schema gets one of its own.
  const ajv = /"\$(id|anchor|dynamicAnchor)"/.test(text) ? make() : shared;
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
