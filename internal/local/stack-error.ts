/** EX_CONFIG: how every command ends whose configuration is wrong. */
export const wrongConfiguration = 78;

/** Something in the way of starting, in one sentence that says what to do. */
export class StackError extends Error {
  override readonly name = "StackError";
  /** With which `up` ends: 78 where starting it once more would change nothing. */
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}
