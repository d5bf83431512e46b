import type { Child } from "../internal/local/child.ts";

/** Ended by a signal; everything it had started is gone. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
  readonly exitCode: number;

  constructor(exitCode: number) {
    super("interrupted");
    this.exitCode = exitCode;
  }
}

/** What the work needs so that it can be cut off. */
export interface Scope {
  /** Aborts at the signal: ends waits and what is being started. */
  readonly signal: AbortSignal;
  /** Told of each process, to be killed when a second signal comes. */
  readonly track: (child: Pick<Child, "kill" | "pid">) => void;
}

/** Their numbers, by signal(7), for exit codes of 128 and more as shells have them. */
const signals = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
/** One Ctrl-C can arrive twice: from the terminal, and once more from npm, which passes it on. */
const sameWithinMs = 1_000;

/**
 * Does the work until SIGINT, SIGTERM or SIGHUP: then what it has started is stopped, which is the work's own part (by
 * `await using`), and at a second signal killed.
 * @throws Interrupted after a signal, whatever the work made of it; else what the work throws
 */
export async function interruptible<T>(
  progress: (text: string) => void,
  work: (scope: Scope) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const children = new Set<Pick<Child, "kill" | "pid">>();
  let interrupted: Interrupted | undefined;
  let firstAt = 0;
  for (const [name, number] of Object.entries(signals))
    process.on(name, () => {
      if (interrupted === undefined) {
        interrupted = new Interrupted(128 + number);
        firstAt = performance.now();
        progress(`${name}, stopping; again to end it at once`);
        controller.abort(interrupted);
      } else if (performance.now() - firstAt > sameWithinMs) {
        const killed = [...children].map((child) => child.kill());
        void Promise.all(killed).then(() => process.exit(interrupted?.exitCode));
      }
    });
  try {
    return await work({ signal: controller.signal, track: (child) => children.add(child) });
  } catch (err) {
    throw interrupted ?? err;
  }
}
