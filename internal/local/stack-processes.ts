import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { exitCode } from "../service/exit-code.ts";
import type { Child } from "./child.ts";
import { serverStage } from "./infrastructure.ts";
import { type Kept, keepRunning } from "./keep-running.ts";
import { type ServiceProcess, startService } from "./own-scripts.ts";
import type { PidFiles } from "./pid-files.ts";
import { readiness } from "./readiness.ts";
import type { ServiceSpec } from "./services.ts";
import { StackError } from "./stack-error.ts";
import type { StackOutput } from "./stack-output.ts";

interface ServiceStarts {
  /** Holds `<service>/main.ts`. */
  readonly commands: string;
  /** The generator's rate in events per second; undefined = its default. */
  readonly rate: number | undefined;
  readonly ports: ReadonlyMap<string, number>;
  readonly environmentOf: (service: string) => Readonly<Record<string, string>>;
  /** Records each process for the next `up`. */
  readonly pids: PidFiles;
  /** How long to wait for a stage to be ready, in ms; default a minute. */
  readonly readyWithin?: number | undefined;
}

/** How long each stage may take to stop, in ms; the whole stop takes less than 10 s. */
const patience: Readonly<Record<number, number>> = { 3: 2_200, 2: 3_800, 1: 400, [serverStage]: 2_200 };

/** The servers and services of one `up`. They start and stop stage by stage; one that ends by itself is restarted. */
export class StackProcesses {
  readonly #output: StackOutput;
  readonly #kept: { readonly stage: number; readonly process: Kept<Child> }[] = [];
  readonly #relays = new Set<Promise<void>>();

  constructor(output: StackOutput) {
    this.#output = output;
  }

  /** Takes over a server, so that `stop` stops it after every service. */
  adopt(server: Kept<Child>): void {
    this.#kept.push({ stage: serverStage, process: server });
  }

  /**
   * Starts services, each stage once the previous one is ready. Resolves to those that are not ready in time, with what
   * they lack: they may become ready later. @throws StackError if one refuses its configuration
   */
  async startServices(
    chosen: readonly ServiceSpec[],
    how: ServiceStarts,
    signal: AbortSignal,
  ): Promise<Map<string, string>> {
    const unready = new Map<string, string>();
    for (const stage of [1, 2, 3]) {
      const ofStage = chosen.filter((spec) => spec.stage === stage);
      if (ofStage.length > 0)
        this.#output.showProgress(`starting ${ofStage.map(({ name }) => name).join(", ")}`);
      const waits = ofStage.map(async (spec) => {
        const lacking = await this.#startUntilReady(spec, how, signal);
        if (lacking !== undefined) unready.set(spec.name, lacking);
      });
      await Promise.all(waits);
    }
    signal.throwIfAborted();
    return unready;
  }

  /** Stops everything within 10 s, the highest stage first and servers last, by SIGKILL if needed. Never rejects. */
  async stop(): Promise<void> {
    for (const stage of [3, 2, 1, serverStage]) {
      const within = patience[stage] ?? 0;
      const ending = this.#kept
        .filter((kept) => kept.stage === stage)
        .map(({ process }) => process.stop(within));
      // Some starts cannot be interrupted, such as a download; the stop does not wait for them.
      await Promise.race([Promise.all(ending), sleep(within + 300)]);
    }
    await Promise.race([Promise.all(this.#relays), sleep(500)]);
  }

  /** @returns what the service lacks when the time is over; undefined if it is ready or has no HTTP */
  async #startUntilReady(
    spec: ServiceSpec,
    how: ServiceStarts,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const port = how.ports.get(spec.name);
    const { started } = this.#keep(spec, how);
    if (port === undefined) return undefined;
    const refused = started
      .then((first) => first.exited)
      .then((end) =>
        end === `exit code ${exitCode.config}` ? "refused" : new Promise<never>(() => undefined),
      );
    const lacking = await Promise.race([
      readiness(`http://127.0.0.1:${port}`, how.readyWithin ?? 60_000, signal),
      refused,
    ]);
    if (lacking === "refused")
      throw new StackError(`${spec.name} ended because its configuration is wrong: see above`);
    return lacking;
  }

  #keep(spec: ServiceSpec, { commands, rate, ports, environmentOf, pids }: ServiceStarts): Kept<Child> {
    const folder = spec.command ?? spec.name;
    const start = async (): Promise<ServiceProcess> => {
      const child = startService({
        script: resolve(commands, folder, "main.ts"),
        args: spec.name === "generator" && rate !== undefined ? ["--rate", String(rate)] : (spec.args ?? []),
        env: { ...environmentOf(folder), HTTP_PORT: String(ports.get(spec.name) ?? "") },
        stdout: spec.writesEvents ? this.#output.countedEvents : this.#output.logOf(spec.name),
        stderr: this.#output.logOf(spec.name),
      });
      pids.record(spec.name, child.pid, spec.stage, "SIGTERM");
      this.#relays.add(child.relayed);
      void child.relayed.then(() => this.#relays.delete(child.relayed));
      return child;
    };
    const process = keepRunning(spec.name, start, (message) => this.#output.say(message));
    this.#kept.push({ stage: spec.stage, process });
    return process;
  }
}
