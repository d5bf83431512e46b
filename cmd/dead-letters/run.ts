import { readFile } from "node:fs/promises";
import { type BulkEnd, forEachLetter } from "../../internal/dead-letters/bulk.ts";
import { type DryRunRules, dryRunReplay } from "../../internal/dead-letters/dry-run.ts";
import type { LetterFilter } from "../../internal/dead-letters/filter.ts";
import { groupBody, headBody, letterBody } from "../../internal/dead-letters/letter-json.ts";
import { discard } from "../../internal/dead-letters/removal.ts";
import { type ReplayOptions, replay, Unreplayable } from "../../internal/dead-letters/replay.ts";
import type { LetterStore } from "../../internal/dead-letters/store.ts";
import { survey } from "../../internal/dead-letters/survey.ts";
import type { Letter, LetterHead } from "../../internal/messages/letter.ts";
import { CommandError } from "../../internal/service/command-error.ts";
import { counted } from "../../internal/service/counted.ts";
import { type Log, reasonOf } from "../../internal/service/log.ts";
import type { Progress } from "../../internal/service/progress.ts";
import type { CommandTools } from "../../internal/service/run-command.ts";
import { onOneLine } from "../../internal/service/terminal.ts";
import type { DeadLettersCommand, Target } from "./command.ts";
import { printDryRun, printLetter, printSurvey } from "./print.ts";

/** What commands can use. */
interface Desk extends Pick<CommandTools, "say" | "ask" | "signal"> {
  readonly store: LetterStore;
  readonly publish: ReplayOptions["publish"];
  readonly rules: DryRunRules;
  readonly log: Log;
  /** Shows the progress of bulk commands. */
  readonly progress: Pick<Progress, "show">;
}

const by = "npm run dead-letters";

/** Runs a command. @throws CommandError, Unavailable */
export async function runCommand(command: DeadLettersCommand, desk: Desk): Promise<void> {
  const { store, say, signal } = desk;
  switch (command.do) {
    case "list": {
      const found = await survey(store, command.filter, { limit: command.limit, signal });
      if (!command.json)
        return say(
          printSurvey(
            found,
            Object.values(command.filter).some((one) => one !== undefined),
          ),
        );
      const { total, groups, newest } = found;
      return say(
        `${JSON.stringify({ total, groups: groups.map(groupBody), dead_letters: newest.map(headBody) })}\n`,
      );
    }
    case "show": {
      const letter = await find(store, command.seq);
      if (command.json) return say(`${JSON.stringify(letterBody(letter))}\n`);
      return say(command.raw ? letter.payload : printLetter(letter));
    }
    case "replay": {
      const { target, payload, dryRun } = command;
      const edited = payload === undefined ? undefined : await readPayload(payload);
      if ("all" in target) return dryRun ? dryRunAll(target.all, desk) : replayAll(target.all, desk);
      const letter = await find(store, target.seq);
      return dryRun ? dryRunOne(letter, desk, edited) : replayOne(letter, desk, edited);
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
    throw new CommandError(`The payload cannot be read: ${reasonOf(cause)}.`, {
      cause,
    });
  }
}

async function replayOne(
  letter: Letter,
  { store, publish, log, rules, say }: Desk,
  edited?: Uint8Array,
): Promise<void> {
  if (edited !== undefined) {
    const result = await dryRunReplay(letter, rules, edited);
    if (result.would === "fail")
      throw new CommandError(`Nothing was sent: the payload would fail again: ${onOneLine(result.because)}`);
  }
  try {
    const { outcome, subject, replays } = await replay(letter, { store, publish, log, by }, edited);
    say(`${letter.seq} ${outcome} to ${onOneLine(subject)} (replay ${replays})\n`);
  } catch (err) {
    if (err instanceof Unreplayable)
      throw new CommandError(`Dead letter ${letter.seq} cannot be sent again: ${onOneLine(err.message)}`, {
        cause: err,
      });
    throw err;
  }
}

/** Reads and handles each matching letter; skips one that somebody else has just handled. */
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
  const { store, publish, log, say, progress } = desk;
  const counts = { replayed: 0, "already replayed": 0, failed: 0 };
  const soFar = (): string =>
    `${counts.replayed} replayed, ${counts["already replayed"]} already replayed, ${counts.failed} cannot be`;
  const { more } = await forEachRead(filter, desk, async (letter) => {
    try {
      counts[(await replay(letter, { store, publish, log, by })).outcome]++;
    } catch (err) {
      if (!(err instanceof Unreplayable)) throw err;
      counts.failed++;
      say(`${letter.seq} cannot be sent again: ${onOneLine(err.message)}\n`);
    }
    progress.show(soFar);
  }).finally(() => say(`${soFar()}\n`));
  if (more) throw new CommandError("Stopped before the end: the same command goes on with the rest.");
  if (counts.failed > 0) throw new CommandError("Not every letter can be sent again.");
}

async function dryRunOne(letter: Letter, { rules, say }: Desk, edited?: Uint8Array): Promise<void> {
  say(printDryRun(letter.seq, await dryRunReplay(letter, rules, edited)));
}

async function dryRunAll(filter: LetterFilter, desk: Desk): Promise<void> {
  const { rules, say } = desk;
  const counts = { pass: 0, fail: 0, "perhaps pass": 0 };
  const { more } = await forEachRead(filter, desk, async (letter) => {
    const result = await dryRunReplay(letter, rules);
    counts[result.would]++;
    say(printDryRun(letter.seq, result));
  });
  say(
    `${counts.pass} would pass, ${counts["perhaps pass"]} perhaps, ${counts.fail} would fail; nothing was sent\n`,
  );
  if (more) throw new CommandError("Stopped before the end.");
}

async function discardTarget(target: Target, yes: boolean, desk: Desk): Promise<void> {
  const { store, say, ask, progress, signal } = desk;
  const remove = (head: LetterHead): Promise<boolean> => discard(head, { ...desk, by });
  if ("seq" in target) {
    const letter = await find(store, target.seq);
    const what = `dead letter ${letter.seq} (${onOneLine(`${letter.reason}, ${letter.client}`)})`;
    if (!yes && !(await ask(`Discard ${what} for good?`))) throw new CommandError("Nothing was discarded.");
    if (!(await remove(letter))) throw new CommandError(`There is no dead letter ${letter.seq} any more.`);
    return say(`${letter.seq} discarded\n`);
  }
  const { total } = await survey(store, target.all, { limit: 1, signal });
  if (total === 0) return say("There are no such dead letters.\n");
  if (!yes && !(await ask(`Discard ${counted(total, "dead letter")} for good?`)))
    throw new CommandError("Nothing was discarded.");
  let discarded = 0;
  // Only as many as the question named, even if others arrive meanwhile.
  const options = { limit: total, signal };
  const work = async (head: LetterHead): Promise<void> => {
    if (await remove(head)) discarded++;
    progress.show(() => `${discarded} of ${total} discarded`);
  };
  await forEachLetter(store, target.all, work, options).finally(() => say(`${discarded} discarded\n`));
  if (signal.aborted)
    throw new CommandError("Stopped before the end: the same command goes on with the rest.");
}
