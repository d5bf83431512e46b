import type { LogLevel } from "../service/log.ts";
import type { InHand } from "./watchdog-board.ts";

/** What the process ends with: EX_SOFTWARE of sysexits.h. */
export const stuckExitCode = 70;

/** A step under watch. */
export interface Place {
  readonly step: string;
  readonly stream: string;
}

/** What the thread is told when a place is taken. */
export interface PlaceTaken extends Place {
  readonly index: number;
}

/** What the thread is told at its start. */
export interface ThreadSettings {
  readonly memory: SharedArrayBuffer;
  readonly service: string;
  readonly level: LogLevel;
  readonly stepMs: number;
  readonly blockedMs: number;
  readonly blockedSteps: number;
  readonly callSteps: number;
}

/** `CASINO_RAW 17 of the step currency`, `256 messages (CASINO_RAW 17 to 301) of the step currency`. */
export function inWords({ step, stream, first, last, messages }: Place & InHand): string {
  const which =
    messages === 1 ? `${stream} ${first}` : `${messages} messages (${stream} ${first} to ${last})`;
  return `${which} of the step ${step}`;
}
