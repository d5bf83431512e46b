/** A command that cannot be done, or not all of it; the message is one sentence. It ends with exit code 1. */
export class CommandError extends Error {
  override readonly name: string = "CommandError";
}
