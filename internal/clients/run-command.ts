import type { Database } from "../postgres/connect.ts";
import type { Command } from "./command.ts";
import { addClient, createKey, type KeyRow, listClients, listKeys, revokeKey } from "./directory.ts";

/** A command that cannot be done; the message is one sentence. */
export class CommandError extends Error {
  override readonly name = "CommandError";
}

/** What a command says: what it was asked for goes to stdout, remarks to stderr. */
export interface Answer {
  readonly output: string;
  readonly remark: string;
}

/** Does what a command asks for. @throws CommandError, or what Postgres throws */
export async function runCommand(
  command: Exclude<Command, { do: "help" }>,
  db: Database,
  now: number = Date.now(),
): Promise<Answer> {
  switch (command.do) {
    case "add": {
      const { client, name } = command;
      if (!(await addClient(db, client, name)))
        throw new CommandError(`There is a client "${client}" already.`);
      return { output: "", remark: `Added client ${client}.\n` };
    }
    case "list": {
      const rows = (await listClients(db)).map(({ id, name, createdAt }) => [id, name, shown(createdAt)]);
      return { output: table(["client", "name", "created"], rows), remark: "" };
    }
    case "create key": {
      const { scope, expiresAt } = command;
      const key = await createKey(db, scope, expiresAt);
      if (scope === "operator") return { output: `${key}\n`, remark: onlyOnce };
      if (key === undefined)
        throw new CommandError(`There is no client "${scope.client}": add it with "clients add" first.`);
      return { output: `${key}\n`, remark: onlyOnce };
    }
    case "list keys": {
      const rows = (await listKeys(db, command.client)).map((key) => [
        key.prefix,
        key.client ?? "(operator)",
        key.source ?? "",
        shown(key.createdAt),
        state(key, now),
      ]);
      return { output: table(["prefix", "client", "source", "created", "state"], rows), remark: "" };
    }
    case "revoke key": {
      const found = await revokeKey(db, command.prefix);
      if (found === 0)
        throw new CommandError(
          `There is no key "${command.prefix.slice(0, 60)}": "clients keys list" shows them.`,
        );
      if (found > 1)
        throw new CommandError(`${found} keys have the prefix "${command.prefix}", none was revoked.`);
      return { output: "", remark: `Revoked ${command.prefix}; gateways refuse it within 5 seconds.\n` };
    }
  }
}

const onlyOnce = "Keep it now: it is not shown again.\n";

function state(key: KeyRow, now: number): string {
  if (key.revokedAt !== null) return `revoked ${shown(key.revokedAt)}`;
  if (key.expiresAt === null) return "good for ever";
  return `${key.expiresAt.getTime() > now ? "good until" : "expired"} ${shown(key.expiresAt)}`;
}

function shown(time: Date): string {
  return time.toISOString().replace(/\.\d+Z$/, "Z");
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) => `${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd())
    .map((line) => `${line}\n`)
    .join("");
}
