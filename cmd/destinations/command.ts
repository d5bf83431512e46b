import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { clientName, eventTypeName } from "../../internal/casino/names.ts";
import type { Reading } from "../../internal/service/command-line.ts";
import { duration, durationOrOff, integer, oneOf } from "../../internal/service/config-values.ts";
import { isDestinationId } from "../../internal/webhooks/destinations.ts";
import { timeOf } from "../../internal/webhooks/time-flag.ts";

/** Settings in their JSON form; absent ones were not given. */
type GivenSettings = Readonly<Record<string, unknown>>;

export type DestinationsCommand =
  | { readonly do: "list"; readonly client: string | undefined; readonly json: boolean }
  | { readonly do: "show"; readonly id: string; readonly json: boolean }
  | { readonly do: "add"; readonly client: string; readonly settings: GivenSettings }
  | { readonly do: "update"; readonly id: string; readonly settings: GivenSettings }
  | { readonly do: "enable" | "disable" | "test"; readonly id: string }
  | { readonly do: "remove"; readonly id: string; readonly yes: boolean }
  | { readonly do: "rotate"; readonly id: string; readonly overlapMs: number }
  | ({ readonly do: "replay"; readonly id: string; readonly dryRun: boolean } & ReplayFlags)
  | { readonly do: "reseal" };

interface ReplayFlags {
  readonly from: Date;
  readonly to: Date | undefined;
  readonly type: string | undefined;
  readonly onlyUndelivered: boolean;
}

export function destinationsCommand(reading: Reading<DestinationsCommand>): CommandUnknownOpts {
  const program = reading.program(
    "destinations",
    "Manages clients' webhook destinations. Senders apply changes within seconds.",
  );
  const id = () =>
    reading.argument("<id>", "id of the destination", (text) => {
      if (!isDestinationId(text)) throw new Error("be 16 letters and digits, as the list has them");
      return text;
    });
  const client = <U extends string>(form: U) => reading.argument(form, "whose it is", clientName);
  const json = ["--json", "as JSON, for scripts"] as const;
  const types = () => reading.repeatable("--type <type>", "an event type to send; repeatable", eventTypeName);
  const headers = () =>
    reading.repeatable(
      "--header <header>",
      'a header of the client\'s own, "name: value"; replaces all',
      headerOf,
    );
  const rate = () =>
    reading.option("--rate-limit <n>", "maximum calls per second; 0 = no limit", integer(0, 10_000));
  const batch = () => reading.option("--batch <n>", "maximum events per call", integer(1, 100));
  const ordered = () =>
    reading.option("--ordered <on|off>", "one event at a time per player", oneOf(["on", "off"]));

  program
    .command("list")
    .description("list destinations, of one client or of all")
    .addArgument(client("[client]"))
    .option(...json)
    .action((client, flags) => reading.ask({ do: "list", client, json: flags.json ?? false }));
  program
    .command("show")
    .description("show one, without its secret")
    .addArgument(id())
    .option(...json)
    .action((id, flags) => reading.ask({ do: "show", id, json: flags.json ?? false }));
  program
    .command("add")
    .description("send a client's events to a URL; prints the id and, only once, the secret")
    .addArgument(client("<client>"))
    .argument("<url>", "https")
    .addOption(types())
    .addOption(headers())
    .addOption(rate())
    .addOption(batch())
    .addOption(ordered())
    .action((client, url, flags) =>
      reading.ask({ do: "add", client, settings: { url, ...settingsOf(flags) } }),
    );
  program
    .command("update")
    .description("change the given settings; the others stay")
    .addArgument(id())
    .option("--url <url>", "https")
    .addOption(types())
    .option("--all-types", "send every event type")
    .addOption(headers())
    .option("--no-headers", "remove its own headers")
    .addOption(rate())
    .addOption(batch())
    .addOption(ordered())
    .action((id, flags) => {
      const settings = {
        ...settingsOf(flags),
        ...(flags.url !== undefined && { url: flags.url }),
        ...(flags.allTypes && { types: null }),
        ...(!flags.headers && { headers: {} }),
      };
      if (Object.keys(settings).length === 0)
        reading.problems.push("No setting was given: --help lists them.");
      reading.ask({ do: "update", id, settings });
    });
  for (const [name, description] of [
    ["enable", "send events there again, including those since it was disabled"],
    ["disable", "send nothing there; events are kept for it"],
    ["test", "send a test event now, and print the result"],
  ] as const)
    program
      .command(name)
      .description(description)
      .addArgument(id())
      .action((id) => reading.ask({ do: name, id }));
  program
    .command("remove")
    .description("remove one, with all events that wait for it")
    .addArgument(id())
    .option("-y, --yes", "do not ask for confirmation")
    .action((id, flags) => reading.ask({ do: "remove", id, yes: flags.yes ?? false }));
  program
    .command("rotate")
    .description("give one a new secret; prints it, only once")
    .addArgument(id())
    .addOption(
      reading.option(
        "--overlap <time>",
        "how long the old secret also signs (default 24h; off = it ends now)",
        durationOrOff,
      ),
    )
    .action((id, { overlap = duration("24h") }) =>
      reading.ask({ do: "rotate", id, overlapMs: Number.isFinite(overlap) ? overlap : 0 }),
    );
  program
    .command("replay")
    .description("send archived events since a time again")
    .addArgument(id())
    .addOption(
      reading
        .option(
          "--since <time>",
          "when the event became final: RFC 3339, or how long ago, such as 1h",
          timeOf,
        )
        .makeOptionMandatory(),
    )
    .addOption(reading.option("--until <time>", "exclusive, in the same form (default now)", timeOf))
    .addOption(reading.option("--type <type>", "only events of this type", eventTypeName))
    .option("--only-undelivered", "skip delivered events, as far back as deliveries are kept")
    .option("--dry-run", "send nothing, only count")
    .action((id, { since, until, type, onlyUndelivered = false, dryRun = false }) => {
      if (until !== undefined && until <= since) reading.problems.push("--until must be later than --since.");
      reading.ask({ do: "replay", id, from: since, to: until, type, onlyUndelivered, dryRun });
    });
  program
    .command("reseal")
    .description(
      "encrypt everything with the first key of DELIVERY_KEY, so that the others are no longer needed",
    )
    .action(() => reading.ask({ do: "reseal" }));
  return program;
}

function headerOf(text: string): readonly [string, string] {
  const [, name, value] = /^([^:\s]+)\s*:\s*(.+)$/.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new Error('be of the form "name: value"');
  return [name, value];
}

interface SettingFlags {
  readonly type?: readonly string[] | undefined;
  readonly header?: readonly (readonly [string, string])[] | undefined;
  readonly rateLimit?: number | undefined;
  readonly batch?: number | undefined;
  readonly ordered?: "on" | "off" | undefined;
}

function settingsOf({ type, header, rateLimit, batch, ordered }: SettingFlags): GivenSettings {
  return {
    ...(type !== undefined && { types: type }),
    ...(header !== undefined && { headers: Object.fromEntries(header) }),
    ...(rateLimit !== undefined && { rate_limit: rateLimit === 0 ? null : rateLimit }),
    ...(batch !== undefined && { batch }),
    ...(ordered !== undefined && { ordered: ordered === "on" }),
  };
}
