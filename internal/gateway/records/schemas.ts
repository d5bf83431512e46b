import { type TSchema, Type } from "typebox";
import {
  defaultLimit,
  json,
  keyProblems,
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
      { description: "an `id`, where there is one, has to be that of the path" },
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
    503: problems("Problem", "Postgres is away, or too much is asked of it at once; see Retry-After"),
  };
  const params = Type.Object({ id: Type.Integer(idForm) });
  const missing = { 404: problems("Problem", `the client has no such ${one}`) };
  const wrongId = problems("Problem", "the id is none");
  const bodyFailures = {
    408: problems("CountsProblem", "the body, or its next line, took too long"),
    413: problems("Problem", `more than 1000 ${many}, or more than 1 MiB`),
    415: problems("Problem", "a Content-Type or Content-Encoding that is not taken"),
  };
  return {
    list: {
      ...common,
      operationId: `list${name}s`,
      summary: `List the client's ${many}`,
      description: "By id. A page begins after the last id of the one before, whatever was changed since.",
      querystring: Type.Object({
        limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000, default: defaultLimit })),
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
      description:
        "What is there under the id is replaced whole: a field that the body does not have is not kept.",
      params,
      body: { content: { "application/json": { schema: ref(`${name}Fields`) } } },
      response: {
        200: json(name, "it took the place of another"),
        201: json(name, "it is new"),
        400: problems("CountsProblem", "the id is none, or the body is no such record: see `errors`"),
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
        503: problems("CountsProblem", "Postgres is away: send all again; see Retry-After"),
      },
    },
    remove: {
      ...common,
      operationId: `delete${name}`,
      summary: `Delete a ${one}`,
      params,
      response: { 204: Type.Null({ description: "it is gone" }), 400: wrongId, ...missing, ...failures },
    },
  };
}
