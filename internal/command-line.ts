import { type ParseArgsConfig, parseArgs } from "node:util";

/** The command line is wrong; the message is for whoever typed it, one sentence for each problem. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/**
 * As `parseArgs` of Node, which it asks to be strict.
 * @param advice put before the full stop, such as "; --help lists the flags"
 * @throws UsageError for the first thing that is wrong
 */
export function parseCommandLine<const C extends ParseArgsConfig>(
  config: C,
  advice = "",
): ReturnType<typeof parseArgs<C>> {
  try {
    return parseArgs(config);
  } catch (err) {
    // Only the first sentence: the rest is advice on arguments that start with a hyphen.
    const [sentence] = (err instanceof Error ? err.message : String(err)).split(". ");
    throw new UsageError(`${sentence?.replace(/\.$/, "")}${advice}.`, { cause: err });
  }
}
