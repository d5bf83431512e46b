import type { Child } from "../internal/local/child.ts";

/** The work was ended by a signal, and everything that it started is gone. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
  readonly exitCode: number;

  constructor(exitCode: number) {
    super("interrupted");
    this.exitCode = exitCode;
  }
}

/** Lets the work be interrupted. */
export interface Scope {
  /** Aborted at the signal: ends waits and starts in progress. */
  readonly signal: AbortSignal;
  /** Receives each process, which a second signal kills. */
  readonly track: (child: Pick<Child, "kill" | "pid">) => void;
}

/** Numbers by signal(7), for exit codes from 128 on, as shells use them. */
const signals = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
/** One Ctrl-C can arrive twice: from the terminal, and forwarded by npm. */
const sameWithinMs = 1_000;

/**
 * Does the work until SIGINT, SIGTERM or SIGHUP. The work then stops what it has started (by `await using`); a second
 * signal kills it.
 * @throws Interrupted after a signal, whatever the work did; otherwise what the work throws
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
