import { type TSchema, Type } from "typebox";
import {
  json,
  keyProblems,
  limitParameter,
  nextCursor,
  numberCursor,
  problems,
  ref,
  withKey,
} from "../../http/schemas.ts";
import { type ClientRecord, idForm, type RecordKind } from "../../records/record.ts";

/** The name of a kind's component: `Player`. */
const nameOf = ({ one }: { readonly one: string }): string => `${one.charAt(0).toUpperCase()}${one.slice(1)}`;

/** The components of the API's description that a kind of records needs. */
export function recordComponents<T extends ClientRecord>(
  kind: RecordKind<T>,
): Readonly<Record<string, TSchema>> {
  const name = nameOf(kind);
  const { id, ...fields } = kind.schema.properties;
  return {
    [name]: kind.schema,
    [`${name}Fields`]: Type.Object(
      { id: Type.Optional(id ?? Type.Never()), ...fields },
      { description: "an `id`, if there is one, must equal the path's" },
    ),
    [`${name}Page`]: Type.Object({
      [kind.many]: Type.Array(ref(name), { description: "by id" }),
      next_cursor: nextCursor,
    }),
  };
}

/** What the description says of the routes of a kind. */
export function recordSchemas<T extends ClientRecord>(kind: RecordKind<T>) {
  const { one, many } = kind;
  const name = nameOf(kind);
  const common = { tags: [many], security: withKey };
  const failures = {
    ...keyProblems,
    503: problems("Problem", "Postgres is away, or there are too many requests at once; see Retry-After"),
  };
  const params = Type.Object({ id: Type.Integer(idForm) });
  const missing = { 404: problems("Problem", `the client has no such ${one}`) };
  const wrongId = problems("Problem", "the id is invalid");
  const bodyFailures = {
    408: problems("CountsProblem", "the body, or its next line, took too long"),
    413: problems("Problem", `more than 1000 ${many}, or more than 1 MiB`),
    415: problems("Problem", "an unsupported Content-Type or Content-Encoding"),
  };
  return {
    list: {
      ...common,
      operationId: `list${name}s`,
      summary: `List the client's ${many}`,
      description: "By id. A page starts after the last id of the previous page, whatever has changed since.",
      querystring: Type.Object({
        limit: limitParameter(),
        cursor: numberCursor,
      }),
      response: {
        200: json(`${name}Page`, `a page of ${many}`),
        400: problems("Problem", "a parameter is wrong"),
        ...failures,
      },
    },
    find: {
      ...common,
      operationId: `get${name}`,
      summary: `Read a ${one}`,
      params,
      response: { 200: json(name, `the ${one}`), 400: wrongId, ...missing, ...failures },
    },
    put: {
      ...common,
      operationId: `put${name}`,
      summary: `Add or replace a ${one}`,
      description: "Replaces an existing one whole: a field that the body lacks is not kept.",
      params,
      body: { content: { "application/json": { schema: ref(`${name}Fields`) } } },
      response: {
        200: json(name, "it replaced another"),
        201: json(name, "it is new"),
        400: problems("CountsProblem", "the id is invalid, or the body is not a valid record: see `errors`"),
        ...failures,
        ...bodyFailures,
      },
    },
    post: {
      ...common,
      operationId: `post${name}s`,
      summary: `Add or replace ${many}`,
      description:
        `Takes one ${one}, up to 1000 as an array (1 MiB), or any number as lines. Each is added, or replaces the one ` +
        "of its id; of two with the same id the later counts. The answer comes once they are stored.",
      body: {
        content: {
          "application/json": {
            schema: Type.Union([ref(name), Type.Array(ref(name), { minItems: 1, maxItems: 1_000 })]),
          },
          "application/x-ndjson": {
            schema: Type.String({ description: `one ${one} per line; blank lines count but are ignored` }),
          },
        },
      },
      response: {
        200: json("Counts", "all are stored"),
        207: json("Counts", "some are stored, the others are invalid"),
        400: problems("CountsProblem", "the body cannot be read, or everything in it is invalid"),
        ...failures,
        ...bodyFailures,
        503: problems("CountsProblem", "Postgres is away: send all of them again; see Retry-After"),
      },
    },
    remove: {
      ...common,
      operationId: `delete${name}`,
      summary: `Delete a ${one}`,
      params,
      response: { 204: Type.Null({ description: "it was deleted" }), 400: wrongId, ...missing, ...failures },
    },
  };
}
