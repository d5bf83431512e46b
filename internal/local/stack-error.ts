import { exitCode } from "../service/exit-code.ts";

/** Something in the way of starting, in one sentence that says what to do. */
export class StackError extends Error {
  override readonly name = "StackError";
  /** With which `up` ends: `config` where starting it once more would change nothing. */
  readonly exitCode: number;

  constructor(message: string, code: number = exitCode.config) {
    super(message);
    this.exitCode = code;
  }
}
