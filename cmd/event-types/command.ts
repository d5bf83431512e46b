import { readFile } from "node:fs/promises";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { requireClient } from "../../internal/clients/require-client.ts";
import type { Database } from "../../internal/postgres/connect.ts";
import { compileDataCheck, RegistrationError } from "../../internal/registry/data-check.ts";
import {
  keyProblems,
  listChanges,
  listTypes,
  registerType,
  removeType,
  type TypeKey,
} from "../../internal/registry/event-types.ts";
import type { Reading } from "../../internal/service/command-line.ts";
import { isObject } from "../../internal/service/json.ts";
import { reasonOf } from "../../internal/service/log.ts";
import { table } from "../../internal/service/table.ts";

type EventTypesCommand =
  | { readonly name: "list"; readonly json: boolean }
  | ({ readonly name: "show" } & TypeKey)
  | ({ readonly name: "history"; readonly json: boolean } & TypeKey)
  | ({ readonly name: "test"; readonly file: string; readonly schema: string | undefined } & TypeKey)
  | ({ readonly name: "register"; readonly file: string } & TypeKey)
  | ({ readonly name: "remove"; readonly yes: boolean } & TypeKey);

export function eventTypesCommand(reading: Reading<EventTypesCommand>): CommandUnknownOpts {
  const program = reading.program(
    "event-types",
    "Shows and changes custom event types. Running processes apply changes within seconds.",
  );
  const type = ["--type <t>", "name of the type, [a-z0-9_-]{1,40}"] as const;
  const client = [
    "--client <c>",
    "only for this client, with precedence over the schema for all (default: for all)",
  ] as const;
  const keyOf = (flags: { readonly type: string; readonly client?: string | undefined }): TypeKey => {
    const key = { type: flags.type, client: flags.client };
    reading.problems.push(...keyProblems(key));
    return key;
  };
  program
    .command("list")
    .description("list custom types and their clients")
    .option("--json", "as JSON, for scripts")
    .action((flags) => reading.ask({ name: "list", json: flags.json ?? false }));
  program
    .command("show")
    .description("print the JSON Schema of a type's data")
    .requiredOption(...type)
    .option(
      "--client <c>",
      "as this client's events are checked (default: those of clients without one of their own)",
    )
    .action((flags) => reading.ask({ name: "show", ...keyOf(flags) }));
  program
    .command("history")
    .description("list when a type's schema was registered, replaced and removed, newest first")
    .argument("<type>", "name of the type, [a-z0-9_-]{1,40}")
    .option("--client <c>", "only schemas that applied to this client (default: every client's)")
    .option("--json", "as JSON, with the schemas, for scripts")
    .action((name, { client, json = false }) =>
      reading.ask({ name: "history", ...keyOf({ type: name, client }), json }),
    );
  program
    .command("test")
    .description("validate an event's data against the schema of its type, without sending it")
    .requiredOption(...type)
    .option(
      "--client <c>",
      "as this client's events are checked (default: those of clients without one of their own)",
    )
    .option("--schema <file>", "use this schema, which need not be registered")
    .argument("<file>", "the data, a JSON object")
    .action((file, flags) => reading.ask({ name: "test", ...keyOf(flags), file, schema: flags.schema }));
  program
    .command("register")
    .description("register a type, or change its schema")
    .requiredOption(...type)
    .option(...client)
    .requiredOption(
      "--schema <file>",
      "JSON Schema (2020-12, or draft-07 by its $schema) of the event's data, an object",
    )
    .action((flags) => reading.ask({ name: "register", ...keyOf(flags), file: flags.schema }));
  program
    .command("remove")
    .description("remove a type: its events become dead letters, unknown_type")
    .requiredOption(...type)
    .option(...client)
    .option("-y, --yes", "do not ask for confirmation")
    .action((flags) => reading.ask({ name: "remove", ...keyOf(flags), yes: flags.yes ?? false }));
  return program;
}

/**
 * Runs a command.
 * @param ask before a type is removed @returns what to print @throws RegistrationError, Unavailable
 */
export async function runCommand(
  db: Database,
  command: EventTypesCommand,
  ask: (question: string) => Promise<boolean>,
): Promise<string> {
  if (command.name === "list") return list(db, command.json);
  // A client that was removed has a history all the same.
  if (command.name !== "history") await requireClient(db, command.client);
  if (command.name === "show") return `${JSON.stringify(await schemaFor(db, command), undefined, 2)}\n`;
  if (command.name === "history") return history(db, command);
  if (command.name === "test") return check(db, command);
  if (command.name === "register") return register(db, command, await readJson("schema", command.file));
  const question = `Remove ${command.type} for ${whose(command)}? Its events become dead letters.`;
  if (!command.yes && !(await ask(question))) throw new RegistrationError("Nothing was removed.");
  if (await removeType(db, command)) return `Removed ${command.type} for ${whose(command)}.\n`;
  throw new RegistrationError(`${command.type} is not registered for ${whose(command)}.`);
}

async function register(db: Database, key: TypeKey, schema: unknown): Promise<string> {
  return `${key.type} is ${await registerType(db, key, schema)} for ${whose(key)}.\n`;
}

/** The schema that applies to a client's events: its own, otherwise the one for all. */
async function schemaFor(db: Database, key: TypeKey): Promise<unknown> {
  const ofType = (await listTypes(db)).filter(({ type }) => type === key.type);
  const found =
    ofType.find(({ client }) => client === key.client) ?? ofType.find(({ client }) => client === undefined);
  if (found !== undefined) return found.schema;
  throw new RegistrationError(`${key.type} is not registered for ${whose(key)}.`);
}

async function check(
  db: Database,
  { file, schema, ...key }: TypeKey & { readonly file: string; readonly schema: string | undefined },
): Promise<string> {
  const data = await readJson("data", file);
  const held = schema === undefined ? await schemaFor(db, key) : await readJson("schema", schema);
  const errors = isObject(data) ? compileDataCheck(held)(data) : [{ path: "", message: "must be object" }];
  if (errors.length === 0) return `The data is valid for ${key.type}.\n`;
  const lines = errors.map(({ path, message }) => `/data${path} ${message}`);
  throw new RegistrationError(`The data is not valid for ${key.type}: ${lines.join("; ")}.`);
}

async function list(db: Database, json: boolean): Promise<string> {
  const types = await listTypes(db);
  if (json) {
    const listed = types.map(({ type, client = null, updatedAt }) => ({
      type,
      client,
      updated_at: updatedAt,
    }));
    return `${JSON.stringify(listed)}\n`;
  }
  if (types.length === 0) return "No custom types are registered.\n";
  const rows = types.map((one) => [one.type, one.client ?? "(all)", one.updatedAt.toISOString()]);
  return table(rows, { head: ["type", "client", "changed"] });
}

async function history(
  db: Database,
  { json, ...key }: TypeKey & { readonly json: boolean },
): Promise<string> {
  const changes = await listChanges(db, key);
  if (changes.length === 0)
    throw new RegistrationError(`${key.type} was never registered for ${whose(key)}.`);
  if (json) {
    const listed = changes.map(({ at, change, type, client = null, schema }) => ({
      ...{ at, change, type, client, schema },
    }));
    return `${JSON.stringify(listed)}\n`;
  }
  const rows = changes.map(({ at, change, client = "(all)" }) => [at.toISOString(), change, client]);
  return table(rows, { head: ["time", "change", "client"] });
}

async function readJson(what: string, file: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (err) {
    const reason = reasonOf(err);
    throw new RegistrationError(`The ${what} cannot be read: ${reason}.`, { cause: err });
  }
  try {
    return JSON.parse(text);
  } catch (err) {
    throw new RegistrationError(`The ${what} in ${file} is not JSON.`, { cause: err });
  }
}

function whose({ client }: { readonly client: string | undefined }): string {
  return client === undefined ? "all clients" : `client ${client}`;
}
