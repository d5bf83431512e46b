import { prefixOf } from "../../internal/clients/api-key.ts";
import {
  addClient,
  belongingsOf,
  createKey,
  type KeyRow,
  listClients,
  listKeys,
  removeClient,
  revokeKey,
  setDisabled,
} from "../../internal/clients/client-repository.ts";
import { natsAccount, pasteable } from "../../internal/clients/nats-account.ts";
import { requireClient } from "../../internal/clients/require-client.ts";
import { createCode } from "../../internal/clients/sessions.ts";
import type { Database } from "../../internal/postgres/connect.ts";
import { CommandError } from "../../internal/service/command-error.ts";
import { counted } from "../../internal/service/counted.ts";
import type { CommandTools } from "../../internal/service/run-command.ts";
import { table } from "../../internal/service/table.ts";
import type { ClientsCommand } from "./command.ts";

interface ClientsRun extends Pick<CommandTools, "say" | "remark" | "ask" | "askIfSeated"> {
  readonly db: Database;
  /** The gateway's port on this machine, where known. */
  readonly gatewayPort?: number | undefined;
}

/**
 * Runs a command, and asks first if it is easily requested by mistake.
 * @throws CommandError, or Postgres' errors
 */
export async function runCommand(
  command: Exclude<ClientsCommand, { do: "nats" }>,
  { db, say, remark, ask, askIfSeated, gatewayPort = 3000 }: ClientsRun,
): Promise<void> {
  switch (command.do) {
    case "add": {
      const { client, name } = command;
      if (!(await addClient(db, client, name)))
        throw new CommandError(`The client "${client}" already exists.`);
      return say(`Added client ${client}.\n`);
    }
    case "list": {
      const clients = await listClients(db);
      if (command.json)
        return say(
          json(
            clients.map(({ id, name, createdAt, disabledAt }) => ({
              ...{ client: id, name, created_at: createdAt, disabled_at: disabledAt },
            })),
          ),
        );
      const rows = clients.map((client) => [
        client.id,
        client.name,
        shown(client.createdAt),
        client.disabledAt === null ? "" : `disabled ${shown(client.disabledAt)}`,
      ]);
      return say(table(rows, { head: ["client", "name", "created", "state"] }));
    }
    case "disable": {
      const { client } = command;
      await requireClient(db, client);
      const question = `Disable ${client}? Its keys are refused, and its events become dead letters.`;
      if (!command.yes && !(await askIfSeated(question)))
        throw new CommandError(`${client} was not disabled.`);
      if (!(await setDisabled(db, client, true))) throw new CommandError(`${client} was removed meanwhile.`);
      return say(
        `Disabled ${client}: gateways refuse its keys with 403 within 5 seconds, and its events that come over NATS or are on their way become dead letters (unknown_client). "clients enable ${client}" undoes it.\n`,
      );
    }
    case "enable": {
      const { client } = command;
      await requireClient(db, client);
      if (!(await setDisabled(db, client, false))) throw new CommandError(`${client} was removed meanwhile.`);
      return say(
        `Enabled ${client}. To send its dead letters again: "dead-letters replay --all --client ${client} --reason unknown_client".\n`,
      );
    }
    case "remove": {
      const { client } = command;
      await requireClient(db, client);
      const { keys, players, games, schemas } = await belongingsOf(db, client);
      const question = `Delete client ${client} for good, with ${counted(keys, "key")}, ${counted(players, "player")}, ${counted(games, "game")} and ${counted(schemas, "schema")}?`;
      if (!command.yes && !(await ask(question))) throw new CommandError(`${client} was not removed.`);
      const end = await removeClient(db, client);
      if (end === "unknown") throw new CommandError(`${client} was removed meanwhile.`);
      if (end === "in use")
        throw new CommandError(
          `${client} has events or something else that refers to it, and was not removed: "clients disable ${client}" refuses new ones.`,
        );
      return say(`Removed ${client}: its events become dead letters (unknown_client) from now on.\n`);
    }
    case "create key": {
      const { scope, expiresAt } = command;
      if (scope !== "operator") await requireClient(db, scope.client);
      const key = await createKey(db, scope, expiresAt);
      if (key === undefined) throw new CommandError("Its client was removed meanwhile.");
      say(`${key}\n`);
      return remark(`Keep it now: it is not shown again.${validity(key, expiresAt)}\n`);
    }
    case "sign in": {
      const { scope } = command;
      if (scope !== "operator") await requireClient(db, scope.client);
      const code = await createCode(db, scope);
      if (code === undefined) throw new CommandError("Its client was removed meanwhile.");
      say(`${code}\n`);
      return remark(
        `Within ten minutes, and once: open http://127.0.0.1:${gatewayPort}/#code=${code}, or wherever the gateway is.\n`,
      );
    }
    case "list keys": {
      await requireClient(db, command.client);
      const keys = await listKeys(db, command.client);
      if (command.json)
        return say(
          json(
            keys.map(({ prefix, client, source, ...key }) => ({
              ...{ prefix, client, source, operator: client === null },
              ...{ created_at: key.createdAt, expires_at: key.expiresAt, revoked_at: key.revokedAt },
            })),
          ),
        );
      const rows = keys.map((key) => [
        key.prefix,
        key.client ?? "(operator)",
        key.source ?? "",
        shown(key.createdAt),
        state(key),
      ]);
      return say(table(rows, { head: ["prefix", "client", "source", "created", "state"] }));
    }
    case "revoke key": {
      if (!command.yes && !(await askIfSeated(`Revoke the key ${command.prefix} for good?`)))
        throw new CommandError("No key was revoked.");
      const found = await revokeKey(db, command.prefix);
      if (found === 0)
        throw new CommandError(
          `There is no key "${command.prefix.slice(0, 60)}": "clients keys list" shows them.`,
        );
      if (found > 1)
        throw new CommandError(`${found} keys have the prefix "${command.prefix}", none was revoked.`);
      return say(`Revoked ${command.prefix}; gateways refuse it within 5 seconds.\n`);
    }
  }
}

/** Prints the account of a client's producers. It needs no database, so it works with any nats-server. */
export function printAccount(client: string, { say, remark }: Pick<CommandTools, "say" | "remark">): void {
  const account = natsAccount(client);
  say(pasteable(account));
  remark(
    `Paste both parts, set ${account.passwordVariable} for nats-server and restart it. Without "clients add ${client}" its events become dead letters.\n`,
  );
}

/** One document, so that any reader, `jq` for example, can parse it. */
const json = (listed: unknown): string => `${JSON.stringify(listed)}\n`;

/** npm 11 takes a flag such as `--expires=1h` without a trace, so whoever meant one has to see that it is missing. */
function validity(key: string, expiresAt: Date | null): string {
  return expiresAt === null
    ? `\nThis key never expires. For one that does, first revoke it ("clients keys revoke ${prefixOf(key)}"), then add "--expiry 90d" to the same command.`
    : ` It is valid until ${shown(expiresAt)}.`;
}

function state(key: KeyRow): string {
  if (key.revokedAt !== null) return `revoked ${shown(key.revokedAt)}`;
  if (key.expiresAt === null) return "never expires";
  return `${key.expiresAt.getTime() > Date.now() ? "valid until" : "expired"} ${shown(key.expiresAt)}`;
}

function shown(time: Date): string {
  return time.toISOString().replace(/\.\d+Z$/, "Z");
}
