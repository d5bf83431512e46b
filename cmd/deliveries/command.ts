import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { clientName } from "../../internal/casino/names.ts";
import type { Reading } from "../../internal/service/command-line.ts";
import { integer, oneOf } from "../../internal/service/config-values.ts";
import { type DeliveryOutcome, outcomes } from "../../internal/webhooks/deliveries.ts";
import { isDestinationId } from "../../internal/webhooks/destinations.ts";
import { timeOf } from "../../internal/webhooks/time-flag.ts";

export type DeliveriesCommand =
  | {
      readonly do: "list";
      readonly client: string | undefined;
      readonly destination: string | undefined;
      readonly outcome: DeliveryOutcome | undefined;
      readonly eventId: number | undefined;
      readonly since: Date | undefined;
      readonly limit: number;
      readonly json: boolean;
    }
  | { readonly do: "resend"; readonly id: string };

export function deliveriesCommand(reading: Reading<DeliveriesCommand>): CommandUnknownOpts {
  const program = reading.program(
    "deliveries",
    "Lists delivery attempts to clients' destinations, and resends events.",
  );
  const id = (text: string): string => {
    if (!/^[1-9]\d{0,17}$/.test(text)) throw new Error("be a number, as the list has them");
    return text;
  };
  program
    .command("list")
    .description("list attempts, the newest first")
    .addOption(reading.option("--client <client>", "only of this client", clientName))
    .addOption(
      reading.option("--destination <id>", "only to this destination", (text) => {
        if (!isDestinationId(text)) throw new Error("be 16 letters and digits");
        return text;
      }),
    )
    .addOption(reading.option("--outcome <outcome>", outcomes.join(", "), oneOf(outcomes)))
    .addOption(
      reading.option("--event <id>", "only of events with this id", integer(1, Number.MAX_SAFE_INTEGER)),
    )
    .addOption(
      reading.option("--since <time>", "from this time on: RFC 3339, or how long ago, such as 1h", timeOf),
    )
    .addOption(reading.option("--limit <n>", "most lines (default 20)", integer(1, 1_000)))
    .option("--json", "as JSON, for scripts")
    .action(({ client, destination, outcome, event, since, limit = 20, json = false }) =>
      reading.ask({ do: "list", client, destination, outcome, eventId: event, since, limit, json }),
    );
  program
    .command("resend")
    .description("send the event of a delivery to its destination once more")
    .addArgument(reading.argument("<id>", "id of the delivery", id))
    .action((id) => reading.ask({ do: "resend", id }));
  return program;
}
