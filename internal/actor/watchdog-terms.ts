import type { LogLevel } from "../service/log.ts";
import type { InHand } from "./watchdog-board.ts";

/** Exit code of the process: EX_SOFTWARE of sysexits.h. */
export const stuckExitCode = 70;

/** A step under watch. */
export interface Place {
  readonly step: string;
  readonly stream: string;
}

/** Sent to the thread when a step takes a place. */
export interface PlaceTaken extends Place {
  readonly index: number;
}

/** Given to the thread at its start. */
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
