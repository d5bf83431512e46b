import type { ChildProcess } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";

export interface Child {
  readonly pid: number;
  /** Resolves when the process has ended, to how it ended: "exit code 1", "signal SIGKILL". Never rejects. */
  readonly exited: Promise<string>;
  /** Ends it gracefully, or by SIGKILL after `within` ms (10,000). Does nothing if it has ended already. */
  stop(within?: number): Promise<void>;
  /** Ends it at once, like a crash. Does nothing if it has ended already. */
  kill(): Promise<void>;
}

/**
 * Wraps a process that was just spawned. If it could not be spawned, its pid is 0 and `exited` says why.
 * @param stopSignal asks this kind of process to end gracefully
 */
export function follow(child: ChildProcess, stopSignal: NodeJS.Signals): Child {
  const exited = new Promise<string>((resolve) => {
    // After the spawn an "error" is only a signal that could not be sent.
    child.on("error", (error) => child.pid === undefined && resolve(error.message));
    child.once("exit", (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
  });
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await exited;
  };
  return {
    pid: child.pid ?? 0,
    exited,
    kill,
    stop: async (within = 10_000) => {
      child.kill(stopSignal);
      const patience = new AbortController();
      const late = sleep(within, true, { signal: patience.signal }).catch(() => false);
      const tooLate = await Promise.race([exited.then(() => false), late]);
      patience.abort();
      if (tooLate) await kill();
    },
  };
}
