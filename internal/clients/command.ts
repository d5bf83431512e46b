import { isClient, isSource } from "../casino/event.ts";
import { parseTimestamp } from "../casino/timestamp.ts";
import { parseCommandLine, UsageError } from "../command-line.ts";
import { duration } from "../config-values.ts";
import type { KeyScope } from "./directory.ts";

/** What a command line asks for. */
export type Command =
  | { readonly do: "help" }
  | { readonly do: "add"; readonly client: string; readonly name: string }
  | { readonly do: "list" }
  | { readonly do: "create key"; readonly scope: KeyScope; readonly expiresAt: Date | null }
  | { readonly do: "list keys"; readonly client: string | undefined }
  | { readonly do: "revoke key"; readonly prefix: string };

export const usage = `clients: keeps the clients and their API keys in Postgres.

  clients add <client> [--name <name>]               add a client; <client> is of the form [a-z0-9-]{1,40}
  clients list                                       list the clients
  clients keys create <client> <source> [--expires <when>]
                                                     create a key with which a producer of that client, named
                                                     <source>, sends and reads events; it is shown once
  clients keys create --operator [--expires <when>]  create an operator's key, good for every client's dead letters
  clients keys list [<client>]                       list keys, by their prefixes
  clients keys revoke <prefix>                       revoke a key; gateways refuse it within 5 seconds

<source> is of the form [A-Za-z0-9._-]{1,64}; event ids are unique within a client and source.
<when> is a duration such as 12h or 90d, or a time such as 2030-01-01T00:00:00Z. Without it a key is good for ever.

Environment:
  DATABASE_URL          Postgres (default postgres://casino:casino@127.0.0.1:5432/casino)
`;

const options = {
  name: { type: "string" },
  expires: { type: "string" },
  operator: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;
type Flag = keyof typeof options;

/** Reads a command line. @param now milliseconds since 1970 @throws UsageError */
export function readCommand(args: readonly string[], now: number = Date.now()): Command {
  const { values, positionals } = parseCommandLine({ args: [...args], options, allowPositionals: true });
  if (values.help || positionals.length === 0) return { do: "help" };
  const [first = "", second = ""] = positionals;
  const isKeys = first === "keys";
  const name = isKeys ? `keys ${second}` : first;
  const rest = positionals.slice(isKeys ? 2 : 1);

  const expect = (form: string, counts: readonly number[], flags: readonly Flag[]): void => {
    if (!counts.includes(rest.length)) throw new UsageError(`It is: clients ${form}.`);
    for (const flag of Object.keys(values))
      if (!flags.some((known) => known === flag))
        throw new UsageError(`--${flag} does not belong to "clients ${name}".`);
  };
  switch (name) {
    case "add": {
      expect("add <client> [--name <name>]", [1], ["name"]);
      const client = clientOf(rest[0]);
      return { do: "add", client, name: values.name ?? client };
    }
    case "list":
      expect("list", [0], []);
      return { do: "list" };
    case "keys create": {
      const expiresAt = values.expires === undefined ? null : expiry(values.expires, now);
      if (values.operator) {
        expect("keys create --operator [--expires <when>]", [0], ["operator", "expires"]);
        return { do: "create key", scope: "operator", expiresAt };
      }
      expect("keys create <client> <source> [--expires <when>]", [2], ["expires"]);
      return { do: "create key", scope: { client: clientOf(rest[0]), source: sourceOf(rest[1]) }, expiresAt };
    }
    case "keys list":
      expect("keys list [<client>]", [0, 1], []);
      return { do: "list keys", client: rest[0] === undefined ? undefined : clientOf(rest[0]) };
    case "keys revoke":
      expect("keys revoke <prefix>", [1], []);
      return { do: "revoke key", prefix: rest[0] ?? "" };
    default:
      throw new UsageError(`There is no command "${name.slice(0, 60).trim()}".`);
  }
}

function clientOf(text = ""): string {
  if (isClient(text)) return text;
  throw new UsageError(`A client must be of the form [a-z0-9-]{1,40}, not "${text.slice(0, 60)}".`);
}

function sourceOf(text = ""): string {
  if (isSource(text)) return text;
  throw new UsageError(`A source must be of the form [A-Za-z0-9._-]{1,64}, not "${text.slice(0, 60)}".`);
}

function expiry(text: string, now: number): Date {
  const time = parseTimestamp(text);
  const at = time === undefined ? now + durationOf(text) : Date.parse(time);
  if (at <= now) throw new UsageError(`--expires must lie in the future, not at "${text}".`);
  return new Date(at);
}

function durationOf(text: string): number {
  try {
    return duration(text);
  } catch {
    throw new UsageError(
      `--expires must be a duration such as 12h or 90d, or a time such as 2030-01-01T00:00:00Z, not "${text.slice(0, 60)}".`,
    );
  }
}
