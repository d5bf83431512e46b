import { requireClient } from "../../internal/clients/require-client.ts";
import { type Erasure, type ErasureOptions, erasePlayer } from "../../internal/erasure/erase.ts";
import { type ErasureRecord, Erasures } from "../../internal/erasure/erasures.ts";
import { playerKind } from "../../internal/players/player-kind.ts";
import { CommandError } from "../../internal/service/command-error.ts";
import { counted } from "../../internal/service/counted.ts";
import type { CommandTools } from "../../internal/service/run-command.ts";
import { table } from "../../internal/service/table.ts";
import type { ErasureCommand, PlayersCommand } from "./erase-command.ts";
import { pages, type RecordsRun, runCommand as runRecordsCommand } from "./run.ts";

interface PlayersRun extends RecordsRun, Pick<CommandTools, "ask"> {
  /** Connects to NATS, for an erasure; the caller closes the connection. */
  readonly broker: () => Promise<Pick<ErasureOptions, "nc" | "publish" | "log">>;
}

/** Runs a command. @throws CommandError, Unavailable */
export async function runPlayersCommand(command: PlayersCommand, run: PlayersRun): Promise<void> {
  switch (command.do) {
    case "erase":
      return erase(command, run);
    case "erased":
      return listErased(command, run);
    default:
      return runRecordsCommand(playerKind, command, run);
  }
}

async function erase(
  { client, id, yes, json }: Extract<ErasureCommand, { do: "erase" }>,
  { db, say, signal, broker, ask }: PlayersRun,
): Promise<void> {
  await requireClient(db, client);
  const question = `Erase the e-mail and last sign-in of player ${id} of ${client} for good?`;
  if (!yes && !(await ask(question))) throw new CommandError("Nothing was erased.");
  const erasure = await erasePlayer(client, id, {
    ...(await broker()),
    db,
    by: "croupier players erase",
    signal,
  });
  say(json ? `${JSON.stringify(erasure)}\n` : printErasure(erasure));
}

/** What was done and what remains, for people. */
function printErasure({ client_id, player_id, done, remains }: Erasure): string {
  const counts = Object.entries(done).map(([place, count]) => [place.replaceAll("_", " "), String(count)]);
  const left = remains.map(({ stream, messages, until }) => [
    stream,
    counted(messages, "message"),
    until === null ? "until they are through" : `until ${until}`,
  ]);
  const last = remains.at(-1)?.until;
  return [
    `Player ${player_id} of ${client_id} is erased from`,
    table(counts).replace(/^/gm, "  ").trimEnd(),
    ...(left.length === 0
      ? ["No stream holds earlier final events."]
      : [
          "Earlier events, which contain the e-mail, may still be in",
          table(left).replace(/^/gm, "  ").trimEnd(),
          `The archive will not store these data. Run the same command again${last ? ` after ${last}` : ""}, for dead letters and delivery answers made from those events.`,
        ]),
    "",
  ].join("\n");
}

async function listErased(
  { client, json }: Extract<ErasureCommand, { do: "erased" }>,
  { db, say, signal }: PlayersRun,
): Promise<void> {
  await requireClient(db, client);
  const erasures = new Erasures(db);
  const records: ErasureRecord[] = [];
  const read = (after: number, limit: number) => erasures.list(client, after, limit, signal);
  for await (const page of pages(read, ({ player_id }) => player_id)) records.push(...page);
  if (json) return say(`${JSON.stringify(records)}\n`);
  const rows = records.map(({ player_id, erased_at, requested_by, counts }) => [
    ...[String(player_id), erased_at, requested_by],
    Object.entries(counts)
      .map(([place, count]) => `${place} ${count}`)
      .join(", "),
  ]);
  say(table(rows, { head: ["player", "erased at", "by", "of"] }));
}
