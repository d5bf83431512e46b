import { ConfigError } from "../service/config.ts";
import { exitCode } from "../service/exit-code.ts";
import { reasonOf } from "../service/log.ts";
import type { Outlet } from "./outlet.ts";
import { StackError } from "./stack-error.ts";

interface Stoppable {
  start(): Promise<void>;
  stop(): Promise<void>;
  kill(): void;
}

/** One Ctrl-C can arrive twice: from the terminal, and from npm, which forwards it. */
const sameWithin = 1_000;

/**
 * Runs the stack until SIGINT, SIGTERM or SIGHUP, then stops it; a second signal ends it at once. Resolves to the exit
 * code: 0 after a signal, also during the start. If the start fails, it prints the error's sentence and resolves to its
 * code.
 */
export async function stopOnSignal(stack: Stoppable, messages: Outlet): Promise<number> {
  let firstAt: number | undefined;
  const asked = Promise.withResolvers<number>();
  const onSignal = (signal: string): void => {
    if (firstAt === undefined) {
      firstAt = performance.now();
      void messages.write(`up: ${signal}, stopping; again to end it at once\n`);
      void stack.stop().then(() => asked.resolve(0));
    } else if (performance.now() - firstAt > sameWithin) {
      stack.kill();
      process.exit(130);
    }
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, onSignal);

  // The start may be in a step that cannot be interrupted; after a signal we do not wait for it.
  const failure = stack.start().then(
    () => asked.promise,
    async (error: unknown) => {
      if (firstAt !== undefined) return asked.promise;
      const sentences = error instanceof ConfigError ? error.problems : [reasonOf(error)];
      for (const sentence of sentences) await messages.write(`up: ${sentence}\n`);
      await stack.stop();
      if (error instanceof ConfigError) return exitCode.config;
      return error instanceof StackError ? error.exitCode : exitCode.failed;
    },
  );
  const code = await Promise.race([asked.promise, failure]);
  if (firstAt !== undefined) await messages.write("up: stopped\n");
  await messages.flushed();
  return code;
}
