import type { FastifyRequest } from "fastify";
import type { Static, TObject, TSchema } from "typebox";
import { parseTimestamp } from "../casino/timestamp.ts";
import { Problem } from "../service/problem.ts";

type Given = Readonly<Record<string, unknown>>;

/** The parts of a parameter's schema that are used; the API's description shows the same. */
interface Form {
  readonly type: "integer" | "boolean" | "string";
  readonly minimum?: number;
  readonly maximum?: number;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly format?: "date-time";
  /** Up to a semicolon it completes the sentence "<name> must be …", where the rest of the form says less. */
  readonly description?: string;
}

/** Unknown names that an answer repeats: a body may have many. */
const mostNamed = 5;

/**
 * Reads a request's parameters by the schema that also describes them. Absent ones stay absent, whatever their default.
 * Where the schema forbids other names, unknown ones are errors: a misspelt filter would otherwise select every letter,
 * and a misspelt dry run would be real.
 * @param body values as JSON; they win over the query, whose values are texts
 * @throws Problem 400 with everything that is wrong
 */
export function readParameters<S extends TObject>(
  request: FastifyRequest,
  schema: S,
  body: Given = {},
): Static<S> {
  const query = queryOf(request);
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  const forms = Object.entries<TSchema>(schema.properties);
  for (const [name, property] of forms) {
    const form = property as unknown as Form; // true of all the gateway's parameters
    const given = Object.hasOwn(body, name) ? body[name] : query[name];
    if (given === undefined) continue;
    const value = Object.hasOwn(body, name) ? given : fromText(form, given);
    if (fits(form, value)) values[name] = value;
    else problems.push(`${name} must ${must(form)}, not ${JSON.stringify(given).slice(0, 100)}.`);
  }
  if ("additionalProperties" in schema && schema.additionalProperties === false) {
    const known = forms.map(([name]) => name);
    const unknown = Object.keys({ ...query, ...body }).filter((name) => !known.includes(name));
    if (unknown.length > 0) {
      const named = unknown.slice(0, mostNamed).map((name) => JSON.stringify(name).slice(0, 100));
      const takes = known.join(", ") || "no parameters";
      problems.push(`This route does not know ${named.join(", ")}: it takes ${takes}.`);
    }
  }
  if (problems.length > 0) throw new Problem(400, problems.join(" "));
  return values as Static<S>; // each value was checked against its property
}

/** The parameters in the URL as they came. */
export const queryOf = (request: FastifyRequest) => request.query as Given; // the query parser's type

function fromText({ type, format }: Form, given: unknown): unknown {
  if (typeof given !== "string") return undefined;
  if (type === "integer") return /^\d{1,16}$/.test(given) ? Number(given) : undefined;
  if (type === "boolean") return given === "true" ? true : given === "false" ? false : undefined;
  // A plus sign that was not percent-encoded arrives as a space.
  return format === "date-time" ? given.replace(" ", "+") : given;
}

function fits(form: Form, value: unknown): boolean {
  if (form.type === "integer") {
    const { minimum = 0, maximum = Number.MAX_SAFE_INTEGER } = form;
    return Number.isInteger(value) && Number(value) >= minimum && Number(value) <= maximum;
  }
  if (form.type === "boolean") return typeof value === "boolean";
  if (typeof value !== "string") return false;
  if (form.format === "date-time") return parseTimestamp(value) !== undefined;
  if (form.enum !== undefined) return form.enum.includes(value);
  return form.pattern === undefined || new RegExp(form.pattern, "u").test(value);
}

function must({ type, minimum, maximum, enum: values, description = "" }: Form): string {
  if (type === "integer")
    return `be an integer from ${minimum} to ${maximum === Number.MAX_SAFE_INTEGER ? "2^53-1" : maximum}`;
  if (type === "boolean") return "be true or false";
  return `be ${values === undefined ? description.split(";", 1)[0] : `one of ${values.join(", ")}`}`;
}
