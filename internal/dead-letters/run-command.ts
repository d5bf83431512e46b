import { readFile } from "node:fs/promises";
import type { Log } from "../log.ts";
import { type BulkEnd, forEachLetter } from "./bulk.ts";
import type { Command, Target } from "./command.ts";
import type { LetterFilter } from "./filter.ts";
import { forecast, type Oracle } from "./forecast.ts";
import type { Letter, LetterHead } from "./letter.ts";
import { plain, printForecast, printLetter, printSurvey } from "./print.ts";
import { discard } from "./removal.ts";
import { type ReplayOptions, replay, Unreplayable } from "./replay.ts";
import type { LetterStore } from "./store.ts";
import { survey } from "./survey.ts";

/** A command that cannot be done; the message is one sentence. */
export class CommandError extends Error {
  override readonly name = "CommandError";
}

/** What commands work with. */
export interface Desk {
  readonly store: LetterStore;
  readonly publish: ReplayOptions["publish"];
  readonly oracle: Oracle;
  readonly log: Log;
  /** Takes what was asked for. */
  readonly say: (text: string | Uint8Array) => void;
  /** Asks a question that is answered with yes or no. */
  readonly confirm: (question: string) => Promise<boolean>;
  /** Aborted when the command is told to stop: what was begun is ended, no more is begun. */
  readonly signal: AbortSignal;
}

const by = "npm run dead-letters";

/** Does what a command asks for. @throws CommandError, Unavailable */
export async function runCommand(command: Exclude<Command, { do: "help" }>, desk: Desk): Promise<void> {
  const { store, say, signal } = desk;
  switch (command.do) {
    case "list":
      return say(printSurvey(await survey(store, command.filter, { limit: command.limit, signal })));
    case "show": {
      const letter = await find(store, command.seq);
      return say(command.raw ? letter.payload : printLetter(letter));
    }
    case "replay": {
      const { target, payload, dryRun } = command;
      const edited = payload === undefined ? undefined : await readPayload(payload);
      if ("all" in target) return dryRun ? foretellAll(target.all, desk) : replayAll(target.all, desk);
      const letter = await find(store, target.seq);
      return dryRun ? foretell(letter, desk, edited) : replayOne(letter, desk, edited);
    }
    case "discard":
      return discardTarget(command.target, command.yes, desk);
  }
}

async function find(store: LetterStore, seq: number): Promise<Letter> {
  const letter = await store.read(seq);
  if (letter === undefined)
    throw new CommandError(`There is no dead letter ${seq}: it was sent again, discarded, or too old.`);
  return letter;
}

async function readPayload(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new CommandError(`The payload cannot be read: ${cause instanceof Error ? cause.message : cause}.`, {
      cause,
    });
  }
}

async function replayOne(
  letter: Letter,
  { store, publish, log, oracle, say }: Desk,
  edited?: Uint8Array,
): Promise<void> {
  if (edited !== undefined) {
    const outlook = await forecast(letter, oracle, edited);
    if (outlook.would === "fail")
      throw new CommandError(`Nothing was sent: the payload would fail again: ${plain(outlook.because)}`);
  }
  try {
    const { outcome, subject, replays } = await replay(letter, { store, publish, log, by }, edited);
    say(`${letter.seq} ${outcome} to ${subject} (replay ${replays})\n`);
  } catch (err) {
    if (err instanceof Unreplayable)
      throw new CommandError(`Dead letter ${letter.seq} cannot be sent again: ${plain(err.message)}`, {
        cause: err,
      });
    throw err;
  }
}

/** Reads each letter that matches and does something to it; passes over one that somebody else has just dealt with. */
function forEachRead(
  filter: LetterFilter,
  { store, signal }: Desk,
  work: (letter: Letter) => Promise<void>,
): Promise<BulkEnd> {
  const readAndWork = async ({ seq }: LetterHead): Promise<void> => {
    const letter = await store.read(seq);
    if (letter !== undefined) await work(letter);
  };
  return forEachLetter(store, filter, readAndWork, { signal });
}

async function replayAll(filter: LetterFilter, desk: Desk): Promise<void> {
  const { store, publish, log, say } = desk;
  const counts = { replayed: 0, "already replayed": 0, failed: 0 };
  const { more } = await forEachRead(filter, desk, async (letter) => {
    try {
      counts[(await replay(letter, { store, publish, log, by })).outcome]++;
    } catch (err) {
      if (!(err instanceof Unreplayable)) throw err;
      counts.failed++;
      say(`${letter.seq} cannot be sent again: ${plain(err.message)}\n`);
    }
  }).finally(() =>
    say(
      `${counts.replayed} replayed, ${counts["already replayed"]} already replayed, ${counts.failed} cannot be\n`,
    ),
  );
  if (more) throw new CommandError("Stopped before the end: the same command goes on with the rest.");
  if (counts.failed > 0) throw new CommandError("Not every letter can be sent again.");
}

async function foretell(letter: Letter, { oracle, say }: Desk, edited?: Uint8Array): Promise<void> {
  say(printForecast(letter.seq, await forecast(letter, oracle, edited)));
}

async function foretellAll(filter: LetterFilter, desk: Desk): Promise<void> {
  const { oracle, say } = desk;
  const counts = { pass: 0, fail: 0, "perhaps pass": 0 };
  const { more } = await forEachRead(filter, desk, async (letter) => {
    const outlook = await forecast(letter, oracle);
    counts[outlook.would]++;
    say(printForecast(letter.seq, outlook));
  });
  say(
    `${counts.pass} would pass, ${counts["perhaps pass"]} perhaps, ${counts.fail} would fail; nothing was sent\n`,
  );
  if (more) throw new CommandError("Stopped before the end.");
}

async function discardTarget(target: Target, yes: boolean, desk: Desk): Promise<void> {
  const { store, say, confirm, signal } = desk;
  const remove = (head: LetterHead): Promise<boolean> => discard(head, { ...desk, by });
  if ("seq" in target) {
    const letter = await find(store, target.seq);
    const what = `dead letter ${letter.seq} (${plain(`${letter.reason}, ${letter.client}`)})`;
    if (!yes && !(await confirm(`Discard ${what} for good?`)))
      throw new CommandError("Nothing was discarded.");
    if (!(await remove(letter))) throw new CommandError(`There is no dead letter ${letter.seq} any more.`);
    return say(`${letter.seq} discarded\n`);
  }
  const { total } = await survey(store, target.all, { limit: 1, signal });
  if (total === 0) return say("There are no such dead letters.\n");
  if (!yes && !(await confirm(`Discard ${total} dead ${total === 1 ? "letter" : "letters"} for good?`)))
    throw new CommandError("Nothing was discarded.");
  let discarded = 0;
  // No more than were asked about, should others come meanwhile.
  const options = { limit: total, signal };
  const work = async (head: LetterHead): Promise<void> => {
    if (await remove(head)) discarded++;
  };
  await forEachLetter(store, target.all, work, options).finally(() => say(`${discarded} discarded\n`));
  if (signal.aborted)
    throw new CommandError("Stopped before the end: the same command goes on with the rest.");
}
