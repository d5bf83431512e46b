import type { ChildProcess } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";

/** A process that this one has started. */
export interface Child {
  readonly pid: number;
  /** Settles when the process ends, by whatever hand, with how: "exit code 1", "signal SIGKILL". Never rejects. */
  readonly exited: Promise<string>;
  /** Ends it gracefully, by SIGKILL when it takes longer than `within` ms (10,000). Harmless when it has ended already. */
  stop(within?: number): Promise<void>;
  /** Ends it as a crash would. Harmless when it has ended already. */
  kill(): Promise<void>;
}

/**
 * The handles on a process that was just spawned. Its pid is 0 when it could not be spawned: then `exited` says why.
 * @param stopSignal what asks this kind of process to end gracefully.
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
