/** A command could not do its work, or not all of it. The message is one sentence; exit code 1. */
export class CommandError extends Error {
  override readonly name: string = "CommandError";
}
