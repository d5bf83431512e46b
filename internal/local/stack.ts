import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { exitCode } from "../lifecycle.ts";
import { type BannerFacts, banner } from "./banner.ts";
import type { Child } from "./child.ts";
import { type DataFolder, takeDataFolder } from "./data-folder.ts";
import { freePort, isFree } from "./free-port.ts";
import {
  environmentOf,
  type Given,
  passwordsOf,
  ratesEndpoint,
  serverStage,
  startInfrastructure,
} from "./infrastructure.ts";
import { type Kept, keepRunning } from "./keep-running.ts";
import { migrate } from "./migrate.ts";
import type { Outlet } from "./outlet.ts";
import { producerServices } from "./producers.ts";
import { readiness } from "./readiness.ts";
import { createSampleKey } from "./sample-key.ts";
import { type ServiceProcess, startService } from "./service-process.ts";
import type { ServiceSpec } from "./services.ts";
import { StackError } from "./stack-error.ts";
import { isTemporary } from "./temporary.ts";
import type { UpOptions } from "./up-options.ts";

export interface StackSettings {
  readonly options: UpOptions;
  readonly given: Given;
  readonly services: readonly ServiceSpec[];
  /** Holds `<service>/main.ts`, and that of `migrate`. */
  readonly commands: string;
  /** Where final events go. */
  readonly events: Outlet;
  /** Where everything else goes. */
  readonly messages: Outlet;
  /** How long a stage is waited for until it is ready, in ms; default a minute. */
  readonly readyWithin?: number;
}

/** How long each stage may take to stop, in ms; together with what surrounds them less than 10 s. */
const patience: Readonly<Record<number, number>> = { 3: 2_200, 2: 3_800, 1: 400, [serverStage]: 2_200 };

/** Everything that `npm run up` runs. One start, one stop; both may be under way at once. */
export class Stack {
  readonly #settings: StackSettings;
  readonly #stopping = new AbortController();
  readonly #kept: { readonly stage: number; readonly process: Kept<Child> }[] = [];
  readonly #relays = new Set<Promise<void>>();
  #folder: DataFolder | undefined;
  #stopped: Promise<void> | undefined;

  constructor(settings: StackSettings) {
    this.#settings = settings;
  }

  /**
   * Starts everything and says where it is; resolves once that is said. Rejects with one sentence when it cannot start at
   * all, and with whatever the interrupted step gave when `stop` is called meanwhile. In both cases `stop` is still due.
   */
  async start(): Promise<void> {
    const { options, given, services } = this.#settings;
    const { signal } = this.#stopping;
    const chosen = [
      ...services.filter(({ name }) => !options.without.has(name) && !(name === "rates" && given.RATES_URL)),
      ...producerServices(options.producers),
    ];
    const runs = (service: string) => chosen.some(({ name }) => name === service);
    if (runs("enricher") && !runs("rates") && !given.RATES_URL) {
      throw new StackError("the enricher needs rates: leave out --no-rates, or set RATES_URL");
    }

    const folder = await this.#takeFolder();
    const front = chosen.find(({ http }) => http === "front");
    if (front !== undefined && !(await isFree(options.port))) {
      const advice = "stop what listens there, or choose another with --port";
      throw new StackError(`port ${options.port} is taken: ${advice}`);
    }
    signal.throwIfAborted();
    if (options.fresh) this.#empty(folder);
    if (!(given.NATS_URL && given.DATABASE_URL) && isTemporary(folder.path))
      this.#say(
        `${folder.path} lies in a temporary folder, which a restart of this machine may empty: choose another with --data`,
      );
    const infrastructure = await startInfrastructure(given, {
      folder,
      say: (message) => this.#say(message),
      adopt: (process) => this.#kept.push({ stage: serverStage, process }),
      strict: options.strict,
    });
    signal.throwIfAborted();

    await this.#migrate({ ...environmentOf(infrastructure, "migrate"), ...passwordsOf(infrastructure) });
    const ports = await this.#ports(chosen, front);
    const rates = ratesEndpoint(given, ports.get("rates"));
    const unready = await this.#startServices(chosen, ports, (service) => ({
      ...environmentOf(infrastructure, service),
      RATES_URL: rates.url ?? "",
    }));
    const key = front?.asksForKeys && (await this.#sampleKey(environmentOf(infrastructure, "clients")));
    this.#announce({ infrastructure, rates, front: front?.name, key, ports, unready });
  }

  /** Stops everything, generator first and servers last, within 10 s; by force what takes longer. Never rejects. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** Ends everything at once, as a crash would. */
  kill(): void {
    this.#folder?.processes.killAll();
    this.#folder?.release();
  }

  async #takeFolder(): Promise<DataFolder> {
    const folder = await takeDataFolder(this.#settings.options.data);
    this.#folder = folder;
    const left = await folder.processes.stopLeftovers();
    if (left.length > 0) this.#say(`stopped what an earlier up had left running: ${left.join(", ")}`);
    return folder;
  }

  #empty(folder: DataFolder): void {
    const { elsewhere } = folder.empty();
    if (elsewhere !== undefined) {
      this.#say(`--fresh deletes only below --data: ${elsewhere} is no longer used and may be removed`);
    }
    const { NATS_URL, DATABASE_URL, REDIS_URL } = this.#settings.given;
    for (const [name, url] of Object.entries({ NATS_URL, DATABASE_URL, REDIS_URL })) {
      if (url) this.#say(`--fresh leaves alone what ${name} points to`);
    }
  }

  async #migrate(env: Readonly<Record<string, string>>): Promise<void> {
    const { commands, messages } = this.#settings;
    const script = resolve(commands, "migrate/main.ts");
    const code = await migrate(script, env, messages, this.#stopping.signal);
    if (code === 0) return;
    const ends = code === exitCode.config ? exitCode.config : exitCode.failed;
    throw new StackError(`the database could not be migrated (exit code ${code}): see above`, ends);
  }

  async #ports(chosen: readonly ServiceSpec[], front: ServiceSpec | undefined): Promise<Map<string, number>> {
    const ports = new Map<string, number>();
    for (const { name, http } of chosen) {
      if (http !== "none")
        ports.set(name, name === front?.name ? this.#settings.options.port : await freePort());
    }
    return ports;
  }

  /** Stage by stage. Resolves to what is not ready after a minute: it may still come, and the rest is of use already. */
  async #startServices(
    chosen: readonly ServiceSpec[],
    ports: ReadonlyMap<string, number>,
    envOf: (service: string) => Readonly<Record<string, string>>,
  ): Promise<Map<string, string>> {
    const unready = new Map<string, string>();
    const { signal } = this.#stopping;
    const { readyWithin = 60_000 } = this.#settings;
    for (const stage of [1, 2, 3]) {
      const ofStage = chosen.filter((spec) => spec.stage === stage);
      const waits = ofStage.map(async (spec) => {
        const { name } = spec;
        const port = ports.get(name);
        const env = { ...envOf(spec.command ?? name), HTTP_PORT: String(port ?? "") };
        const { started } = this.#keepService(spec, env);
        if (port === undefined) return;
        const refused = started
          .then((first) => first.exited)
          .then((how) =>
            how === `exit code ${exitCode.config}` ? "refused" : new Promise<never>(() => undefined),
          );
        const lacking = await Promise.race([
          readiness(`http://127.0.0.1:${port}`, readyWithin, signal),
          refused,
        ]);
        if (lacking === "refused")
          throw new StackError(
            `${name} ended because its configuration is wrong: see above`,
            exitCode.config,
          );
        if (lacking !== undefined) unready.set(name, lacking);
      });
      await Promise.all(waits);
    }
    signal.throwIfAborted();
    return unready;
  }

  #keepService(spec: ServiceSpec, env: Readonly<Record<string, string>>): Kept<Child> {
    const { commands, events, messages, options } = this.#settings;
    const start = async (): Promise<ServiceProcess> => {
      const child = startService({
        script: resolve(commands, spec.command ?? spec.name, "main.ts"),
        args:
          spec.name === "generator" && options.rate !== undefined
            ? ["--rate", String(options.rate)]
            : (spec.args ?? []),
        env,
        stdout: spec.writesEvents ? events : messages,
        stderr: messages,
      });
      this.#folder?.processes.record(spec.name, child.pid, spec.stage, "SIGTERM");
      this.#relays.add(child.relayed);
      void child.relayed.then(() => this.#relays.delete(child.relayed));
      return child;
    };
    const process = keepRunning(spec.name, start, (message) => this.#say(message));
    this.#kept.push({ stage: spec.stage, process });
    return process;
  }

  /** Undefined when none could be made: everything else is of use without it. */
  async #sampleKey(env: Readonly<Record<string, string>>): Promise<string | undefined> {
    try {
      const script = resolve(this.#settings.commands, "clients/main.ts");
      return await createSampleKey(script, env, this.#stopping.signal);
    } catch (error) {
      this.#stopping.signal.throwIfAborted();
      this.#say(`no API key could be made: ${error instanceof Error ? error.message : error}`);
      return undefined;
    }
  }

  #announce(facts: Omit<BannerFacts, "port" | "data" | "strict">): void {
    const { port, data, strict } = this.#settings.options;
    void this.#settings.messages.write(banner({ ...facts, port, strict, data: resolve(data) }));
  }

  async #stop(): Promise<void> {
    this.#stopping.abort(new Error("stopped"));
    for (const stage of [3, 2, 1, serverStage]) {
      const within = patience[stage] ?? 0;
      const ending = this.#kept
        .filter((kept) => kept.stage === stage)
        .map(({ process }) => process.stop(within));
      // A start that cannot be interrupted, such as a download, is not waited for.
      await Promise.race([Promise.all(ending), sleep(within + 300)]);
    }
    await Promise.race([Promise.all(this.#relays), sleep(500)]);
    await this.#settings.events.flushed();
    // What is still there could not be stopped, such as a server whose start was interrupted.
    this.#folder?.processes.killAll();
    this.#folder?.processes.clear();
    this.#folder?.release();
  }

  #say(message: string): void {
    void this.#settings.messages.write(`up: ${message}\n`);
  }
}
