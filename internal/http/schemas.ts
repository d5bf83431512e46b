import type { FastifyInstance } from "fastify";
import { type TProperties, type TSchema, Type } from "typebox";

/** A component of the API's description, by its name. */
export const ref = (name: string) => Type.Unsafe({ $ref: `${name}#` });
/** Items on a page by default. */
export const defaultLimit = 100;
export const oneOf = (...values: readonly string[]) => Type.Unsafe<string>({ type: "string", enum: values });
/** A route's parameters, where an unknown one is an error. */
export const parameters = <P extends TProperties>(properties: P) =>
  Type.Object(properties, { additionalProperties: false });
/** For routes that take none. */
export const noParameters = parameters({});
/** The client, for operators, who have none of their own. */
export const clientParameter = (pattern = "^[a-z0-9-]{1,40}$") =>
  Type.Optional(
    Type.String({
      pattern,
      description:
        "the name of a client, such as casino; needs an operator's key, unless it is the key's own",
    }),
  );
export const count = (description: string) => Type.Integer({ minimum: 0, description });
/** A point in time, in any form that RFC 3339 has. */
export const dateTime = (meaning: string) =>
  Type.String({
    format: "date-time",
    description: `an existing RFC 3339 date-time such as 2022-01-10T12:34:56Z; ${meaning}`,
  });
export const nextCursor = Type.Union([Type.String(), Type.Null()], {
  description: "for the next page; null at the end",
});
/** A parameter that takes an earlier `nextCursor`. */
export const cursorParameter = (pattern: string) =>
  Type.Optional(Type.String({ pattern, description: "the `next_cursor` of an earlier answer" }));
export const numberCursor = cursorParameter("^[1-9][0-9]{0,15}$");
export const limitParameter = (preset = defaultLimit, maximum = 1_000) =>
  Type.Optional(Type.Integer({ minimum: 1, maximum, default: preset, description: "at most this many" }));
/** A parameter that is off by default. */
export const flag = (description: string) => Type.Optional(Type.Boolean({ default: false, description }));

const counts = {
  accepted: count("how many are stored now"),
  rejected: Type.Array(ref("Rejected"), { maxItems: 1_000 }),
  rejected_total: Type.Optional(count("how many were refused, when `rejected` names only the first of them")),
};

const fieldError = Type.Object({
  path: Type.String({ description: "JSON pointer into the event, empty for the whole of it" }),
  message: Type.String({ description: "what it must be" }),
});

export const problem = {
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer({ minimum: 400, maximum: 599 }),
  detail: Type.String({ description: "what is wrong and what to do" }),
};

/** Components that any route's answers may use. */
export const commonComponents: Readonly<Record<string, TSchema>> = {
  Rejected: Type.Object({
    index: Type.Integer({ minimum: 0, description: "place in the array, or number of the line, from 0" }),
    errors: Type.Array(fieldError, { minItems: 1 }),
  }),
  Counts: Type.Object(counts),
  Problem: Type.Object(problem, { description: "RFC 9457" }),
  CountsProblem: Type.Object(
    { ...problem, ...Type.Partial(Type.Object(counts)).properties },
    { description: "RFC 9457, with what became of what the body held where that is known" },
  ),
};

/** Registers schemas under their names, for `ref`. */
export function addComponents(app: FastifyInstance, components: Readonly<Record<string, TSchema>>): void {
  for (const [name, schema] of Object.entries(components)) app.addSchema({ ...schema, $id: name });
}

export const json = (name: string, description: string) => ({
  description,
  content: { "application/json": { schema: ref(name) } },
});
export const problems = (name: string, description: string) => ({
  description,
  content: { "application/problem+json": { schema: ref(name) } },
});

/** Answers of a route behind a client's key that are due to the key. */
export const keyProblems = {
  401: problems("Problem", "no API key, or none that exists"),
  403: problems("Problem", "the API key was revoked, has expired, or is an operator's"),
  429: problems("Problem", "too many requests with this API key; see Retry-After"),
};
/** The same for a route that operators' keys may use too. */
export const anyKeyProblems = {
  401: problems("Problem", "the API key is missing or unknown"),
  403: problems("Problem", "the API key was revoked or has expired, or belongs to another client"),
  429: problems("Problem", "too many requests with this API key, or of this client at once; see Retry-After"),
};
/** Answers that are due to the body. @param most what it may hold */
export const bodyProblems = (most: string) => ({
  408: problems("Problem", "the body took too long"),
  413: problems("Problem", `the body is larger than ${most}`),
  415: problems("Problem", "an unsupported Content-Type or Content-Encoding"),
});
export const withKey = [{ apiKey: [] }];
export const optionalBodyMark = "x-optional-body";
/** For the schema of a route with an optional body. */
export const optionalBody = { [optionalBodyMark]: true };
