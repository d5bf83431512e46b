import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { UsageError } from "../command-line.ts";
import type { Database } from "../postgres/connect.ts";
import { costlyPart } from "./check-time.ts";
import { RegistrationError } from "./data-check.ts";
import { keyProblems, listTypes, registerType, removeType, type TypeKey } from "./event-types.ts";

export type EventTypesCommand =
  | { readonly name: "help" }
  | { readonly name: "list" }
  | ({ readonly name: "register"; readonly file: string } & TypeKey)
  | ({ readonly name: "remove" } & TypeKey);

export const eventTypesHelp = `event-types: shows and changes the custom types of event. Running processes follow within seconds.

Commands:
  list                                              every custom type and whose it is
  register --type T [--client C] --schema FILE      registers a type, or changes its schema
  remove --type T [--client C]                      removes a type: its events become dead letters, unknown_type

Flags:
  --type T              name of the type, [a-z0-9_-]{1,40}
  --client C            only for this client, before the schema for all (default: for all clients)
  --schema FILE         JSON Schema (2020-12, or draft-07 by its $schema) of the event's data, an object
  --help                this text

Environment:
  DATABASE_URL          Postgres (default postgres://casino:casino@127.0.0.1:5432/casino)
  LOG_LEVEL             least level that is logged (default info)
`;

/** Reads the command line. @throws UsageError with every problem at once */
export function readCommand(args: readonly string[]): EventTypesCommand {
  const { values, positionals, tokens } = parseArgs({
    args: [...args],
    // Strict would stop at the first problem.
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: {
      type: { type: "string" },
      client: { type: "string" },
      schema: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return { name: "help" };
  const [name, ...rest] = positionals;
  const problems = rest.map((extra) => `"${extra.slice(0, 100)}" is not expected.`);
  if (name !== "list" && name !== "register" && name !== "remove") {
    const said = name === undefined ? "" : `, not "${name.slice(0, 100)}"`;
    throw new UsageError(`The command must be list, register or remove${said}; --help explains them.`);
  }
  const needed = { list: [], register: ["type", "schema"], remove: ["type"] }[name];
  const allowed = name === "list" ? [] : [...needed, "client"];
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    if (!allowed.includes(token.name)) problems.push(`${name} takes no ${token.rawName}.`);
    else if (!token.value || (!token.inlineValue && token.value.startsWith("--")))
      problems.push(`${token.rawName} needs a value.`);
  }
  for (const flag of needed) if (values[flag] === undefined) problems.push(`${name} needs --${flag}.`);
  const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
  const key = { type: text(values.type) ?? "", client: text(values.client) };
  if (name !== "list" && problems.length === 0) problems.push(...keyProblems(key));
  if (problems.length > 0) throw new UsageError(problems.join("\n"));
  if (name === "list") return { name };
  return name === "remove" ? { name, ...key } : { name, ...key, file: text(values.schema) ?? "" };
}

/** Does what the command says. @returns what to print @throws RegistrationError, Unavailable */
export async function runCommand(
  db: Database,
  command: Exclude<EventTypesCommand, { name: "help" }>,
): Promise<string> {
  if (command.name === "list") return list(db);
  if (command.name === "register") return register(db, command, await readSchema(command.file));
  if (await removeType(db, command)) return `${command.type} is removed for ${whose(command)}.\n`;
  throw new RegistrationError(`${command.type} is not registered for ${whose(command)}.`);
}

async function register(db: Database, key: TypeKey, schema: unknown): Promise<string> {
  const done = `${key.type} is ${await registerType(db, key, schema)} for ${whose(key)}.\n`;
  const costly = costlyPart(schema);
  if (costly === undefined) return done;
  return `${done}Its "${costly}" may take long, so each check is timed and costs about 0.1 ms more.\n`;
}

async function list(db: Database): Promise<string> {
  const types = await listTypes(db);
  if (types.length === 0) return "No custom types are registered.\n";
  const width = Math.max(...types.map(({ type }) => type.length));
  return types
    .map((one) => `${one.type.padEnd(width)}  ${one.updatedAt.toISOString()}  ${whose(one)}\n`)
    .join("");
}

async function readSchema(file: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (err) {
    const reason = err instanceof Error ? err.message : String(err);
    throw new RegistrationError(`The schema cannot be read: ${reason}.`, { cause: err });
  }
  try {
    return JSON.parse(text);
  } catch (err) {
    throw new RegistrationError(`The schema in ${file} is not JSON.`, { cause: err });
  }
}

function whose({ client }: { readonly client: string | undefined }): string {
  return client === undefined ? "all clients" : `client ${client}`;
}
