import { clientName, sourceName } from "../../internal/casino/names.ts";
import { parseTimestamp } from "../../internal/casino/timestamp.ts";
import type { KeyScope } from "../../internal/clients/client-repository.ts";
import type { Build } from "../../internal/service/command-line.ts";
import { duration } from "../../internal/service/config-values.ts";

export type ClientsCommand =
  | { readonly do: "add"; readonly client: string; readonly name: string }
  | { readonly do: "list"; readonly json: boolean }
  | { readonly do: "disable"; readonly client: string; readonly yes: boolean }
  | { readonly do: "enable"; readonly client: string }
  | { readonly do: "remove"; readonly client: string; readonly yes: boolean }
  | { readonly do: "create key"; readonly scope: KeyScope; readonly expiresAt: Date | null }
  | { readonly do: "list keys"; readonly client: string | undefined; readonly json: boolean }
  | { readonly do: "revoke key"; readonly prefix: string; readonly yes: boolean }
  | { readonly do: "sign in"; readonly scope: KeyScope }
  | { readonly do: "nats"; readonly client: string };

const json = ["--json", "as JSON, for scripts"] as const;
const yes = ["-y, --yes", "do not ask for confirmation"] as const;

/** The command `clients`. @param now milliseconds since 1970 */
export function clientsCommand(now: () => number = Date.now): Build<ClientsCommand> {
  return (reading) => {
    const program = reading.program("clients", "Keeps the clients and their API keys in Postgres.");
    const client = () => reading.argument("<client>", "of the form [a-z0-9-]{1,40}", clientName);

    program
      .command("add")
      .description("add a client")
      .addArgument(client())
      .option("--name <name>", "display name (default: <client>)")
      .action((id, { name = id }) => reading.ask({ do: "add", client: id, name }));
    program
      .command("list")
      .description("list the clients")
      .option(...json)
      .action((flags) => reading.ask({ do: "list", json: flags.json ?? false }));
    program
      .command("disable")
      .description(
        "refuse a client's keys with 403, and dead-letter its events that come over NATS (unknown_client); its data stay",
      )
      .addArgument(client())
      .option(...yes)
      .action((id, flags) => reading.ask({ do: "disable", client: id, yes: flags.yes ?? false }));
    program
      .command("enable")
      .description("accept a disabled client's events again")
      .addArgument(client())
      .action((id) => reading.ask({ do: "enable", client: id }));
    program
      .command("remove")
      .description("delete a client that has no events, with its keys, players, games and schemas")
      .addArgument(client())
      .option(...yes)
      .action((id, flags) => reading.ask({ do: "remove", client: id, yes: flags.yes ?? false }));

    program
      .command("sign-in")
      .description(
        "make a code that signs a browser in to the dashboard, once, within ten minutes: as an operator, or as a client",
      )
      .addArgument(reading.argument("[client]", "the client to sign in as", clientName))
      .action((id) =>
        reading.ask({
          do: "sign in",
          scope: id === undefined ? "operator" : { client: id, source: "dashboard" },
        }),
      );

    const keys = program.command("keys").description("create, list and revoke API keys");
    keys
      .command("create")
      .description(
        "create a key for a client's producer named <source>, or for an operator; it is shown once",
      )
      .addArgument(reading.argument("[client]", "whose key it is", clientName))
      .addArgument(
        reading.argument(
          "[source]",
          "of the form [A-Za-z0-9._-]{1,64}; event ids are unique within a client and source",
          sourceName,
        ),
      )
      .option("--operator", "instead of client and source: a key for every client's dead letters")
      .addOption(
        reading.option(
          "--expiry <when>",
          "a duration such as 12h or 90d, or a time such as 2030-01-01T00:00:00Z (default: it never expires)",
          (text) => expiry(text, now()),
        ),
      )
      .action((id, source, { operator = false, expiry: expiresAt = null }, { args }) => {
        if (args.length !== (operator ? 0 : 2))
          reading.problems.push(
            "It is: croupier clients keys create <client> <source>, or --operator alone.",
          );
        const scope: KeyScope = operator ? "operator" : { client: id ?? "", source: source ?? "" };
        reading.ask({ do: "create key", scope, expiresAt });
      });
    keys
      .command("list")
      .description("list keys, by their prefixes")
      .addArgument(reading.argument("[client]", "only of this client", clientName))
      .option(...json)
      .action((id, flags) => reading.ask({ do: "list keys", client: id, json: flags.json ?? false }));
    keys
      .command("revoke")
      .description("revoke a key; gateways refuse it within 5 seconds")
      .argument("<prefix>", 'as "croupier clients keys list" shows it')
      .option(...yes)
      .action((prefix, flags) => reading.ask({ do: "revoke key", prefix, yes: flags.yes ?? false }));

    program
      .command("nats")
      .description(
        "print the part of nats.conf that lets the client's producers publish over NATS; needs no database",
      )
      .addArgument(client())
      .action((id) => reading.ask({ do: "nats", client: id }));
    return program;
  };
}

function expiry(text: string, now: number): Date {
  const time = parseTimestamp(text);
  const at = time === undefined ? now + durationOf(text) : Date.parse(time);
  if (at <= now) throw new Error("lie in the future");
  return new Date(at);
}

function durationOf(text: string): number {
  try {
    return duration(text);
  } catch (cause) {
    throw new Error("be a duration such as 12h or 90d, or a time such as 2030-01-01T00:00:00Z", { cause });
  }
}
