import { Ajv, type ValidateFunction } from "ajv";
import type { Static, TSchema } from "typebox";

const ajv = new Ajv({
  allErrors: true,
  // What a key inherits from Object.prototype is not the sender's.
  ownProperties: true,
  // Left to whoever parses the text, which also gives the form to keep: as a format it would be parsed twice.
  formats: { "date-time": true },
  // To check this project's own schemas would cost every process half of what ajv costs at its start; a test does it.
  meta: false,
  validateSchema: false,
});

/** Compiles a schema of this project, not of a client. The check reports all errors of a value together. */
export function compileOwnSchema<S extends TSchema>(schema: S): ValidateFunction<Static<S>> {
  return ajv.compile<Static<S>>(schema);
}
