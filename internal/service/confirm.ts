import { createInterface } from "node:readline/promises";

/**
 * Asks on stderr and reads yes or no from stdin. The end of the input, Ctrl-C and `signal` mean no.
 */
export async function confirm(question: string, signal: AbortSignal): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const close = (): void => lines.close();
  lines.once("SIGINT", close);
  signal.addEventListener("abort", close);
  const closed = new Promise<undefined>((resolve) => lines.once("close", () => resolve(undefined)));
  const answer = await Promise.race([lines.question(`${question} [y/N] `), closed]);
  // Nobody has ended the line of the question.
  if (answer === undefined) process.stderr.write("\n");
  signal.removeEventListener("abort", close);
  close();
  return /^y(es)?$/i.test(answer?.trim() ?? "");
}
