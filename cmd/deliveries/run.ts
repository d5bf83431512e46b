import { requireClient } from "../../internal/clients/require-client.ts";
import type { Database } from "../../internal/postgres/connect.ts";
import { CommandError } from "../../internal/service/command-error.ts";
import type { CommandTools } from "../../internal/service/run-command.ts";
import { table } from "../../internal/service/table.ts";
import { findDeliveries, findDelivery } from "../../internal/webhooks/deliveries.ts";
import { requestResend } from "../../internal/webhooks/delivery-requests.ts";
import type { DeliveriesCommand } from "./command.ts";

interface DeliveriesRun extends Pick<CommandTools, "say" | "remark" | "signal"> {
  readonly db: Database;
}

/** Runs a command. Does not show receivers' answers, which are for their clients. @throws CommandError, Unavailable */
export async function runCommand(command: DeliveriesCommand, run: DeliveriesRun): Promise<void> {
  if (command.do === "resend") return resend(command.id, run);
  const { db, say, remark, signal } = run;
  const { since, json, ...filter } = command;
  await requireClient(db, filter.client);
  const from = since?.getTime();
  const page = await findDeliveries(db, { ...filter, from, withAnswers: false }, signal);
  if (json) return say(`${JSON.stringify(page.deliveries)}\n`);
  const rows = page.deliveries.map((one) => [
    one.id,
    one.at,
    one.destination_id,
    one.outcome,
    `${one.client_id}/${one.source}/${one.event_id}`,
    String(one.attempt),
    `${one.duration_ms} ms`,
    one.error ?? "",
  ]);
  say(table(rows, { head: ["id", "at", "destination", "outcome", "event", "attempt", "took", "error"] }));
  if (page.next_cursor !== null) remark("There are more: add a filter, or raise --limit.\n");
}

async function resend(id: string, { db, say, signal }: DeliveriesRun): Promise<void> {
  const delivery = await findDelivery(db, id, undefined, signal);
  if (delivery === undefined)
    throw new CommandError(`There is no delivery ${id}, or it is too old: "deliveries list" shows them.`);
  const destination = await db
    .selectFrom("destinations")
    .select(["id", "client_id as client", "enabled"])
    .where("id", "=", delivery.destination_id)
    .executeTakeFirst();
  if (destination === undefined)
    throw new CommandError(`Its destination ${delivery.destination_id} is gone.`);
  if (!destination.enabled)
    throw new CommandError(`Its destination is disabled: "destinations enable ${destination.id}" first.`);
  await requestResend(db, destination, { source: delivery.source, id: delivery.event_id });
  say(`Asked the sender to send event ${delivery.event_id} to ${destination.id}.\n`);
}
