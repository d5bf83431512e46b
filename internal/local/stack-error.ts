import { exitCode } from "../service/exit-code.ts";

/** Why `up` cannot start, in one sentence that says what to do. */
export class StackError extends Error {
  override readonly name = "StackError";
  /** The exit code of `up`: `config` if starting it again would not help. */
  readonly exitCode: number;

  constructor(message: string, code: number = exitCode.config) {
    super(message);
    this.exitCode = code;
  }
}
