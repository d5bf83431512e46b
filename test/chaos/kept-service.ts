import { createWriteStream } from "node:fs";
import { join, resolve } from "node:path";
import { Writable } from "node:stream";
import { freePort } from "../../internal/local/free-port.ts";
import { type Kept, keepRunning } from "../../internal/local/keep-running.ts";
import { Outlet } from "../../internal/local/outlet.ts";
import { type ServiceProcess, startService } from "../../internal/local/own-scripts.ts";
import { forget, watch } from "../harness/guard.ts";
import { waitFor } from "../harness/wait-for.ts";

const commands = resolve(import.meta.dirname, "../../cmd");

export interface KeptServiceOptions {
  /** Its own name in the run, such as `enricher-1`. */
  readonly name: string;
  /** Its folder below cmd/. */
  readonly command: string;
  readonly env: Readonly<Record<string, string>>;
  /** Where its log goes, as `<name>.log`. */
  readonly folder: string;
  /** Called with each line of its stdout. */
  readonly onLine?: (line: string) => void;
}

/** A service as a separate process, restarted whenever it ends, by the same code as `npm run up`. */
export class KeptService {
  readonly name: string;
  readonly url: string;
  /** How it ended without having been killed by a fault, in words. */
  readonly unasked: string[] = [];
  readonly #kept: Kept<ServiceProcess>;
  #process: ServiceProcess | undefined;
  #askedFor: number | undefined;

  private constructor(options: KeptServiceOptions, port: number) {
    this.name = options.name;
    this.url = `http://127.0.0.1:${port}`;
    const log = createWriteStream(join(options.folder, `${options.name}.log`), { flags: "a" });
    const outlet = (stream: Writable) => new Outlet(stream, () => undefined);
    const stderr = outlet(log);
    const stdout = outlet(linesTo(options.onLine ?? (() => undefined)));
    const start = async (): Promise<ServiceProcess> => {
      const child = startService({
        script: join(commands, options.command, "main.ts"),
        args: [],
        env: { LOG_LEVEL: "info", ...options.env, HTTP_PORT: String(port) },
        stdout,
        stderr,
      });
      this.#process = child;
      watch(child.pid);
      void child.exited.then((how) => {
        forget(child.pid);
        if (this.#askedFor !== child.pid) this.unasked.push(`${this.name}: ${how}`);
      });
      return child;
    };
    this.#kept = keepRunning(options.name, start, (message) => void stderr.write(`${message}\n`));
  }

  /** Starts it on a free port. */
  static async start(options: KeptServiceOptions): Promise<KeptService> {
    const service = new KeptService(options, await freePort());
    await service.#kept.started;
    return service;
  }

  /** The current process. */
  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** Kills it by SIGKILL; it is restarted. */
  async kill(): Promise<void> {
    const victim = this.#process;
    if (victim === undefined) return;
    this.#askedFor = victim.pid;
    await victim.kill();
  }

  /** Freezes the process: it neither works nor answers, and its connections stay open. */
  pause(): void {
    process.kill(this.pid, "SIGSTOP");
  }

  resume(): void {
    process.kill(this.pid, "SIGCONT");
  }

  /** Resolves when `/readyz` answers 200. @throws Error after `timeout` ms */
  async ready(timeout = 60_000): Promise<void> {
    await waitFor(
      async () => (await fetch(`${this.url}/readyz`, { signal: AbortSignal.timeout(3_000) })).ok,
      {
        timeout,
        interval: 100,
        what: `${this.name} to be ready`,
      },
    );
  }

  /** Ends it for good. */
  async stop(): Promise<void> {
    this.#askedFor = this.pid;
    await this.#kept.stop(10_000);
  }
}

/** A writable that calls back with each line. Its input consists of whole lines. */
function linesTo(onLine: (line: string) => void): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      for (const line of chunk.toString().split("\n")) if (line !== "") onLine(line);
      done();
    },
  });
}
