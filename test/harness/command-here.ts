import { resolve } from "node:path";
import { Readable, Writable } from "node:stream";
import { pathToFileURL } from "node:url";
import { type VariableName, variables } from "../../internal/service/variables.ts";

const root = resolve(import.meta.dirname, "../..");
const signals = ["SIGINT", "SIGTERM"] as const;
let runs = 0;

/** How a command ended, and what it said. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a command sees of its process beside its words. */
export interface Surroundings {
  /** The only variables of ours that it has. */
  readonly env?: Partial<Record<VariableName, string>>;
  /** What it reads; without a terminal. */
  readonly stdin?: string | Readable;
}

/** Thrown in place of `process.exit`. */
class Exited extends Error {
  readonly code: unknown;
  constructor(code: unknown) {
    super(`process.exit(${code})`);
    this.code = code;
  }
}

/** Keeps what is written to it as text. */
class Heard extends Writable {
  text = "";
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

/**
 * Runs a command that ends by itself, or a service's `--help`, within the process of the test: the file is evaluated anew with this
 * command line, environment, stdin and stdout, and what it imports is shared. A process of its own costs a second of CPU more:
 * `startCommand` is for services, for signals and for what is logged. One at a time.
 */
export async function runHere(
  file: string,
  args: readonly string[],
  { env = {}, stdin = "" }: Surroundings = {},
): Promise<Outcome> {
  const path = resolve(root, file);
  const [stdout, stderr] = [new Heard(), new Heard()];
  const input = typeof stdin === "string" ? Readable.from(stdin === "" ? [] : [Buffer.from(stdin)]) : stdin;
  const listeners = signals.map((signal) => process.listeners(signal));
  const others = Object.entries(process.env).filter(([name]) => !(name in variables));
  using changes = new DisposableStack();
  const change = (of: object, name: string, descriptor: PropertyDescriptor) => {
    const before = Object.getOwnPropertyDescriptor(of, name);
    Object.defineProperty(of, name, { configurable: true, writable: true, ...descriptor });
    changes.defer(() => {
      if (before === undefined) Reflect.deleteProperty(of, name);
      else Object.defineProperty(of, name, before);
    });
  };
  change(process, "argv", { value: [process.execPath, path, ...args] });
  change(process, "env", { value: { ...Object.fromEntries(others), ...env } });
  change(process, "stdin", { value: input });
  change(process, "stdout", { value: stdout });
  change(process, "stderr", { value: stderr });
  change(process, "exit", {
    value: (code: unknown) => {
      throw new Exited(code);
    },
  });
  const outcome = (code: unknown): Outcome => ({
    code: Number(code ?? 0),
    stdout: stdout.text,
    stderr: stderr.text,
  });
  const { exitCode } = process;
  process.exitCode = undefined;
  try {
    // With another query it is another module to the loader.
    await import(/* @vite-ignore */ `${pathToFileURL(path).href}?run=${runs++}`);
    return outcome(process.exitCode);
  } catch (err) {
    if (!(err instanceof Exited)) throw err;
    return outcome(err.code);
  } finally {
    process.exitCode = exitCode;
    for (const [at, signal] of signals.entries())
      for (const listener of process.listeners(signal))
        if (!listeners[at]?.includes(listener)) process.removeListener(signal, listener);
  }
}
