import { requireClient } from "../../internal/clients/require-client.ts";
import { missingType } from "../../internal/registry/event-types.ts";
import { CommandError } from "../../internal/service/command-error.ts";
import { UsageError } from "../../internal/service/command-line.ts";
import { counted } from "../../internal/service/counted.ts";
import type { CommandTools } from "../../internal/service/run-command.ts";
import { factTable, table } from "../../internal/service/table.ts";
import { countReplayed, requestReplay } from "../../internal/webhooks/delivery-requests.ts";
import type { Destination } from "../../internal/webhooks/destination.ts";
import { DestinationRefused } from "../../internal/webhooks/destinations.ts";
import { resealDestinations } from "../../internal/webhooks/reseal.ts";
import { SealError, type SecretBox } from "../../internal/webhooks/secret-box.ts";
import {
  destinationBody,
  type ReadSettings,
  readChange,
  readSettings,
} from "../../internal/webhooks/settings.ts";
import { deliverTest } from "../../internal/webhooks/test-event.ts";
import type { Webhooks } from "../../internal/webhooks/webhooks.ts";
import type { DestinationsCommand } from "./command.ts";

interface DestinationsRun extends Pick<CommandTools, "say" | "remark" | "ask" | "signal"> {
  readonly webhooks: Webhooks;
  readonly box: SecretBox;
}

/** Runs a command. @throws CommandError, UsageError, Unavailable */
export async function runCommand(command: DestinationsCommand, run: DestinationsRun): Promise<void> {
  try {
    await act(command, run);
  } catch (err) {
    if (err instanceof DestinationRefused || err instanceof SealError)
      throw new CommandError(err.message, { cause: err });
    throw err;
  }
}

async function act(command: DestinationsCommand, run: DestinationsRun): Promise<void> {
  const { webhooks, box, say, remark, ask, signal } = run;
  const { db, destinations, deliverer } = webhooks;
  const checkUrl = (url: URL): void => deliverer.checkUrl(url);
  switch (command.do) {
    case "list":
      await requireClient(db, command.client);
      return list(await destinations.list(command.client, {}, signal), command.json, say);
    case "show": {
      const body = destinationBody(await found(webhooks, command.id, signal));
      return say(command.json ? `${JSON.stringify(body)}\n` : factTable(body));
    }
    case "add": {
      const settings = good(readSettings(command.settings, checkUrl));
      await requireClient(db, command.client);
      const { id, secrets } = await destinations.create(command.client, settings, signal);
      say(`${id} ${secrets[0]}\n`);
      await remarkMissing(settings.types, command.client, run);
      return remark("Events go there from now on. The secret is not shown again: give it to the receiver.\n");
    }
    case "update": {
      const change = good(readChange(command.settings, checkUrl));
      const changed = await destinations.update(command.id, undefined, change, signal);
      if (changed === undefined) throw missing(command.id);
      await remarkMissing(change.types ?? null, changed.client, run);
      return say(`Changed ${command.id}.\n`);
    }
    case "enable":
    case "disable": {
      const enabled = command.do === "enable";
      if ((await destinations.update(command.id, undefined, { enabled }, signal)) === undefined)
        throw missing(command.id);
      return say(`${enabled ? "Enabled" : "Disabled"} ${command.id}.\n`);
    }
    case "remove": {
      const { id, url } = await found(webhooks, command.id, signal);
      if (
        !command.yes &&
        !(await ask(`Remove ${id} (${new URL(url).host}), with all events that wait for it?`))
      )
        throw new CommandError(`${id} was not removed.`);
      if (!(await destinations.remove(id, undefined, signal))) throw missing(id);
      return say(`Removed ${id}.\n`);
    }
    case "rotate": {
      const secret = await destinations.rotate(command.id, undefined, command.overlapMs, signal);
      if (secret === undefined) throw missing(command.id);
      say(`${secret}\n`);
      const until = new Date(Date.now() + command.overlapMs).toISOString();
      return remark(
        command.overlapMs === 0
          ? "The previous secret signs nothing any more: give this one to the receiver now.\n"
          : `The previous secret also signs until ${until}.\n`,
      );
    }
    case "test": {
      const result = await deliverTest(deliverer, await found(webhooks, command.id, signal), signal);
      const took = `in ${result.durationMs} ms`;
      if (!result.ok) throw new CommandError(`The test failed ${took}. ${result.error ?? ""}`.trim());
      return say(`Delivered ${took}: it answered ${result.status}.\n`);
    }
    case "replay": {
      const destination = await found(webhooks, command.id, signal);
      const { from, to = new Date(), type, onlyUndelivered } = command;
      const filter = { from, to, types: type === undefined ? null : [type], onlyUndelivered };
      const events = await countReplayed(db, destination, filter, signal);
      if (command.dryRun) return say(`${counted(events, "event")} would be sent.\n`);
      if (!destination.enabled)
        throw new CommandError(
          `${destination.id} is disabled: "destinations enable ${destination.id}" first.`,
        );
      await requestReplay(db, destination, filter);
      return say(`Asked the sender for ${counted(events, "event")}.\n`);
    }
    case "reseal":
      return say(
        `Encrypted the secrets of ${counted(await resealDestinations(db, box, signal), "destination")} again.\n`,
      );
  }
}

/** A type may be registered later, so it need not be a mistake; but until then nothing is sent for it. */
async function remarkMissing(
  types: readonly string[] | null,
  client: string,
  { webhooks: { db }, remark }: DestinationsRun,
): Promise<void> {
  for (const type of types ?? []) {
    const missing = await missingType(db, client, type);
    if (missing !== undefined) remark(`${missing} Until it is registered, nothing is sent for it.\n`);
  }
}

async function found({ destinations }: Webhooks, id: string, signal: AbortSignal): Promise<Destination> {
  const destination = await destinations.find(id, undefined, signal);
  if (destination === undefined) throw missing(id);
  return destination;
}

const missing = (id: string): CommandError =>
  new CommandError(`There is no destination ${id}: "destinations list" shows them.`);

/** @throws UsageError with all problems */
function good<T>(read: ReadSettings<T>): T {
  if (read.ok) return read.settings;
  throw new UsageError(
    read.errors.map(({ path, message }) => `${path.slice(1)} ${message.replace(/\.$/, "")}.`),
  );
}

function list(all: readonly Destination[], asJson: boolean, say: (text: string) => void): void {
  if (asJson) {
    say(`${JSON.stringify(all.map(destinationBody))}\n`);
    return;
  }
  const rows = all.map((one) => [
    one.id,
    one.client,
    one.enabled ? (one.failingSince === null ? "enabled" : "failing") : "disabled",
    one.types?.join(",") ?? "all",
    one.url,
  ]);
  say(table(rows, { head: ["id", "client", "state", "types", "url"] }));
}
