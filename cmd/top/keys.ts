import type { ReadStream } from "node:tty";

/** The part of a terminal's input that is used. */
export type Keyboard = Pick<ReadStream, "setRawMode" | "on" | "off" | "pause" | "resume">;

/** What keys ask for. */
interface Wishes {
  readonly quit: () => void;
  readonly suspend: () => void;
}

// A terminal that hands over single keys makes no signals of them.
const ctrlC = "\u0003";
const ctrlZ = "\u001a";

/**
 * Hears single keys, without Return and without an echo: q and Ctrl-C quit, Ctrl-Z suspends.
 * @returns gives the terminal its usual mode back
 */
export function hearKeys(keyboard: Keyboard, { quit, suspend }: Wishes): () => void {
  const hear = (typed: Buffer): void => {
    for (const key of typed.toString()) {
      if (key === "q" || key === "Q" || key === ctrlC) quit();
      if (key === ctrlZ) suspend();
    }
  };
  keyboard.setRawMode(true);
  keyboard.on("data", hear);
  // Somebody may have paused it: the one before us.
  keyboard.resume();
  return () => {
    keyboard.off("data", hear);
    keyboard.pause();
    keyboard.setRawMode(false);
  };
}
