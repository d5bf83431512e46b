import { sql } from "kysely";
import { casinoTypes, isCasinoType, isClient, isEventType } from "../casino/event.ts";
import { asking, asUnavailable, type Database } from "../postgres/connect.ts";
import { foreignKeyViolation, sqlState } from "../postgres/sql-state.ts";
import { nearMiss } from "../service/near-miss.ts";
import { compileDataCheck, RegistrationError } from "./data-check.ts";

/** Whom a type's schema is for: one client, or undefined for every client that has none of its own. */
export interface TypeKey {
  readonly type: string;
  readonly client: string | undefined;
}

/**
 * The registered custom types, by name; the one for all clients before single clients' own.
 * @param client only its own types and those for all
 * @throws Unavailable
 */
export async function listTypes(db: Database, client?: string) {
  return asking(undefined, async () => {
    const rows = await db
      .selectFrom("event_type_schemas")
      .select(["type", "client_id", "schema", "updated_at"])
      .$if(client !== undefined, (query) =>
        query.where((it) => it.or([it("client_id", "=", client ?? ""), it("client_id", "is", null)])),
      )
      .orderBy("type")
      .orderBy("client_id", (order) => order.asc().nullsFirst())
      .execute();
    return rows.map(({ type, client_id, schema, updated_at }) => ({
      type,
      client: client_id ?? undefined,
      schema,
      updatedAt: updated_at,
    }));
  });
}

/**
 * What became of a type's schemas, newest first; the schema of a removal is null. Postgres notes it itself, whoever
 * changes them.
 * @param key with a client: only of its own schema and of the one for all
 * @throws Unavailable
 */
export async function listChanges(db: Database, { type, client }: TypeKey) {
  return asking(undefined, async () => {
    const ofType = db
      .selectFrom("event_type_changes")
      .select(["client_id", "change", "schema", "at"])
      .where("type", "=", type);
    const asked =
      client === undefined
        ? ofType
        : ofType.where((it) => it.or([it("client_id", "=", client), it("client_id", "is", null)]));
    const rows = await asked.orderBy("id", "desc").execute();
    return rows.map(({ client_id, ...row }) => ({ type, client: client_id ?? undefined, ...row }));
  });
}

/**
 * Whether a client can send a type, for people who may have mistyped it.
 * @param client undefined = any client
 * @returns undefined, or a sentence that names the type that was probably meant. @throws Unavailable
 */
export async function missingType(
  db: Database,
  client: string | undefined,
  type: string,
): Promise<string | undefined> {
  const registered = await listTypes(db, client);
  const names = [...new Set<string>([...casinoTypes, ...registered.map((one) => one.type)])];
  if (names.includes(type)) return undefined;
  const meant = nearMiss(type, names);
  const next =
    meant === undefined
      ? `"croupier event-types list" shows those beside ${casinoTypes.join(", ")}.`
      : `did you mean ${meant}?`;
  return `There is no type ${type}${client === undefined ? "" : ` for client ${client}`}: ${next}`;
}

/**
 * Registers a custom type with the JSON Schema of its `data`, or changes its schema. Running processes use it within
 * seconds.
 * @throws RegistrationError when type, client or schema cannot be accepted; Unavailable
 */
export async function registerType(
  db: Database,
  { type, client }: TypeKey,
  schema: unknown,
): Promise<"registered" | "changed"> {
  checkKey({ type, client });
  compileDataCheck(schema);
  try {
    return await db.transaction().execute(async (trx) => {
      await trx
        .insertInto("event_types")
        .values({ name: type })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
      const { rows } = await sql<{ is_new: boolean }>`
        insert into event_type_schemas (type, client_id, schema)
        values (${type}, ${client ?? null}, ${JSON.stringify(schema)}::jsonb)
        on conflict (type, client_id) do update set schema = excluded.schema, updated_at = now()
        returning xmax = 0 as is_new`.execute(trx);
      return rows[0]?.is_new ? "registered" : "changed";
    });
  } catch (err) {
    if (sqlState(err) === foreignKeyViolation)
      throw new RegistrationError(`There is no client "${client}".`, { cause: err });
    throw asUnavailable(err);
  }
}

/**
 * Removes a type's schema. When no other is left, its events are of an unknown type from then on. The name itself stays
 * in event_types, because past events refer to it.
 * @returns whether it existed
 * @throws RegistrationError when the name is invalid; Unavailable
 */
export async function removeType(db: Database, { type, client }: TypeKey): Promise<boolean> {
  checkKey({ type, client });
  return asking(undefined, async () => {
    const { numDeletedRows } = await db
      .deleteFrom("event_type_schemas")
      .where("type", "=", type)
      .where("client_id", "is not distinct from", client ?? null)
      .executeTakeFirst();
    return numDeletedRows > 0n;
  });
}

/** What is wrong with a type or client as given, in sentences. */
export function keyProblems({ type, client }: TypeKey): readonly string[] {
  const problems: string[] = [];
  if (!isEventType(type))
    problems.push(`The type must be of the form [a-z0-9_-]{1,40}, not "${type.slice(0, 100)}".`);
  else if (isCasinoType(type))
    problems.push(`The type ${type} is built in: every client has it, and it has no data.`);
  if (client !== undefined && !isClient(client))
    problems.push(`The client must be of the form [a-z0-9-]{1,40}, not "${client.slice(0, 100)}".`);
  return problems;
}

function checkKey(key: TypeKey): void {
  const problems = keyProblems(key);
  if (problems.length > 0) throw new RegistrationError(problems.join("\n"));
}
