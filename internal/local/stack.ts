import { resolve } from "node:path";
import { exitCode } from "../service/exit-code.ts";
import { reasonOf } from "../service/log.ts";
import { announceUp } from "../service/running-up.ts";
import { type BannerFacts, banner, keepBanner } from "./banner.ts";
import { type DataFolder, takeDataFolder } from "./data-folder.ts";
import { deliveryEnvironment } from "./delivery-key.ts";
import { demoClients, demoLines, demoServices } from "./demo.ts";
import { freePort, portRefused, whyNotFree } from "./free-port.ts";
import {
  environmentOf,
  type Given,
  passwordsOf,
  ratesEndpoint,
  startInfrastructure,
} from "./infrastructure.ts";
import { runScript } from "./own-scripts.ts";
import { producerServices } from "./producers.ts";
import { createSampleKey, createSignInCode } from "./sample-key.ts";
import type { ServiceSpec } from "./services.ts";
import { StackError } from "./stack-error.ts";
import { type OutputSettings, StackOutput } from "./stack-output.ts";
import { StackProcesses } from "./stack-processes.ts";
import { isTemporary } from "./temporary.ts";

interface StackSettings extends OutputSettings {
  readonly given: Given;
  readonly services: readonly ServiceSpec[];
  /** Holds `<service>/main.ts`, and those of `migrate`, `samples` and `clients`. */
  readonly commands: string;
  /**
   * Tries the given servers before anything is started, and waits for those that are away. Resolves to the variables
   * that the services need because of them. @throws ConfigError
   */
  readonly tryGiven?: (
    say: (sentence: string) => void,
    signal: AbortSignal,
  ) => Promise<Readonly<Record<string, string>>>;
  /** Checks the requested producers against the database. @throws ConfigError */
  readonly tryProducers?: (databaseUrl: string) => Promise<void>;
  /** How long a stage is waited for until it is ready, in ms; default a minute. */
  readonly readyWithin?: number;
}

/** Everything that `npm run up` runs. Start and stop it once each; both may be in progress at once. */
export class Stack {
  readonly #settings: StackSettings;
  readonly #stopping = new AbortController();
  readonly #output: StackOutput;
  readonly #processes: StackProcesses;
  #folder: DataFolder | undefined;
  /** Deletes the record that this `up` runs. */
  #takeBack: (() => void) | undefined;
  #takeBannerBack: (() => void) | undefined;
  #stopped: Promise<void> | undefined;

  constructor(settings: StackSettings) {
    this.#settings = settings;
    this.#output = new StackOutput(settings);
    this.#processes = new StackProcesses(this.#output);
  }

  /**
   * Starts everything and then prints the banner. Rejects with one sentence if it cannot start, and with the
   * interrupted step's error if `stop` is called meanwhile. In both cases call `stop` afterwards.
   */
  async start(): Promise<void> {
    const { options, given, services } = this.#settings;
    const { signal } = this.#stopping;
    const chosen = [
      ...services.filter(({ name }) => !options.without.has(name) && !(name === "rates" && given.RATES_URL)),
      ...producerServices(options.producers),
      ...(options.demo ? demoServices : []),
    ];
    const runs = (service: string) => chosen.some(({ name }) => name === service);
    if (runs("enricher") && !runs("rates") && !given.RATES_URL) {
      throw new StackError("the enricher needs rates: leave out --no-rates, or set RATES_URL");
    }

    const folder = await this.#takeFolder();
    const front = chosen.find(({ http }) => http === "front");
    const refused = front && (await whyNotFree(options.port));
    if (refused !== undefined) throw new StackError(portRefused(options.port, refused));
    signal.throwIfAborted();
    if (options.fresh) this.#empty(folder);
    if (!(given.NATS_URL && given.DATABASE_URL) && isTemporary(folder.path))
      this.#output.say(
        `${folder.path} is in a temporary folder, which a restart of this machine may empty: choose another folder with --data`,
      );
    const limits = (await this.#settings.tryGiven?.((sentence) => this.#output.say(sentence), signal)) ?? {};
    this.#output.showProgress("starting the servers");
    const infrastructure = await startInfrastructure(given, {
      folder,
      say: (message) => this.#output.say(message),
      adopt: (server) => this.#processes.adopt(server),
      strict: options.strict,
    });
    signal.throwIfAborted();

    await this.#migrate({ ...environmentOf(infrastructure, "migrate"), ...passwordsOf(infrastructure) });
    if (options.samples || options.demo) await this.#plantSamples(environmentOf(infrastructure, "samples"));
    await this.#settings.tryProducers?.(environmentOf(infrastructure, "clients").DATABASE_URL ?? "");
    const ports = await this.#ports(chosen, front);
    const rates = ratesEndpoint(given, ports.get("rates"));
    const delivery = deliveryEnvironment(given, folder.path);
    const starts = {
      commands: this.#settings.commands,
      rate: options.rate,
      ports,
      environmentOf: (service: string) => ({
        ...environmentOf(infrastructure, service),
        ...limits,
        RATES_URL: rates.url ?? "",
        ...delivery,
      }),
      pids: folder.processes,
      readyWithin: this.#settings.readyWithin,
    };
    const unready = await this.#processes.startServices(chosen, starts, signal);
    const asksForKeys = front?.asksForKeys === true;
    const keys = environmentOf(infrastructure, "clients");
    const key = asksForKeys ? await this.#made("API key", createSampleKey, keys) : undefined;
    const code = asksForKeys ? await this.#made("link to the dashboard", createSignInCode, keys) : undefined;
    const demo = options.demo ? await this.#demoLines(keys, ports.get("receiver")) : [];
    const { DATABASE_URL: ownerUrl } = environmentOf(infrastructure, "migrate");
    const { NATS_URL = "" } = environmentOf(infrastructure, "operator");
    const urls = { ...keys, NATS_URL, RATES_URL: rates.url ?? "", ...delivery };
    this.#takeBack = announceUp(folder.path, {
      urls,
      ...(ownerUrl !== undefined && { ownerUrl }),
      ...(asksForKeys && { gatewayPort: options.port }),
    });
    this.#announce({ infrastructure, rates, front: front?.name, key, code, ports, unready, demo });
    const hasEvents = chosen.some(({ writesEvents }) => writesEvents === true);
    const nats = { NATS_URL, NATS_CREDS: given.NATS_CREDS };
    void this.#output.showStatus({ nats, ports, hasEvents }, signal);
  }

  /** Stops everything within 10 s, the generator first and servers last, by SIGKILL if needed. Never rejects. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** Ends everything at once, like a crash. */
  kill(): void {
    this.#folder?.processes.killAll();
    this.#folder?.release();
  }

  async #takeFolder(): Promise<DataFolder> {
    const folder = await takeDataFolder(this.#settings.options.data);
    this.#folder = folder;
    const left = await folder.processes.stopLeftovers();
    if (left.length > 0) this.#output.say(`stopped what an earlier up left running: ${left.join(", ")}`);
    return folder;
  }

  #empty(folder: DataFolder): void {
    const { elsewhere } = folder.empty();
    if (elsewhere !== undefined) {
      this.#output.say(
        `--fresh deletes only below --data: ${elsewhere} is no longer used and may be removed`,
      );
    }
    const { NATS_URL, DATABASE_URL, REDIS_URL } = this.#settings.given;
    for (const [name, url] of Object.entries({ NATS_URL, DATABASE_URL, REDIS_URL })) {
      if (url) this.#output.say(`--fresh does not touch the server that ${name} names`);
    }
  }

  async #migrate(env: Readonly<Record<string, string>>): Promise<void> {
    const script = resolve(this.#settings.commands, "migrate/main.ts");
    const code = await runScript([script], env, this.#output.logOf("migrate"), this.#stopping.signal);
    if (code === 0) return;
    const ends = [exitCode.config, exitCode.unavailable].find((one) => one === code) ?? exitCode.failed;
    throw new StackError(`the database could not be migrated (exit code ${code}): see above`, ends);
  }

  /** A failure is only reported, because everything else works without samples. */
  async #plantSamples(env: Readonly<Record<string, string>>): Promise<void> {
    const { commands, messages, options } = this.#settings;
    const script = resolve(commands, "samples/main.ts");
    const how = options.demo ? "--demo" : "--if-untouched";
    const code = await runScript([script, how], env, messages, this.#stopping.signal);
    if (code !== 0) this.#output.say(`no samples could be added (exit code ${code}): see above`);
  }

  async #ports(chosen: readonly ServiceSpec[], front: ServiceSpec | undefined): Promise<Map<string, number>> {
    const ports = new Map<string, number>();
    for (const { name, http } of chosen) {
      if (http !== "none")
        ports.set(name, name === front?.name ? this.#settings.options.port : await freePort());
    }
    return ports;
  }

  /** Undefined if it could not be made: everything else works without it. */
  async #made(
    what: string,
    make: (script: string, env: Readonly<Record<string, string>>, signal: AbortSignal) => Promise<string>,
    env: Readonly<Record<string, string>>,
  ): Promise<string | undefined> {
    try {
      const script = resolve(this.#settings.commands, "clients/main.ts");
      return await make(script, env, this.#stopping.signal);
    } catch (error) {
      this.#stopping.signal.throwIfAborted();
      this.#output.say(`no ${what} could be made: ${reasonOf(error)}`);
      return undefined;
    }
  }

  async #demoLines(
    env: Readonly<Record<string, string>>,
    receiver: number | undefined,
  ): Promise<readonly string[]> {
    const keys = new Map<string, string>();
    for (const client of demoClients) {
      const key = await this.#made(`API key of ${client}`, (...how) => createSampleKey(...how, client), env);
      if (key !== undefined) keys.set(client, key);
    }
    return demoLines(keys, { port: this.#settings.options.port, receiver });
  }

  #announce(facts: Omit<BannerFacts, "port" | "data" | "strict" | "figuresWantKey">): void {
    const { port, data, strict } = this.#settings.options;
    const figuresWantKey = this.#settings.given.FIGURES === "keys";
    const text = banner({ ...facts, port, strict, figuresWantKey, data: resolve(data) });
    this.#takeBannerBack = keepBanner(resolve(data), text);
    void this.#settings.messages.write(text);
  }

  async #stop(): Promise<void> {
    this.#stopping.abort(new Error("stopped"));
    this.#output.endStatus();
    this.#takeBack?.();
    this.#takeBannerBack?.();
    await this.#processes.stop();
    await this.#output.close();
    // A process that is left could not be stopped, such as a server whose start was interrupted.
    this.#folder?.processes.killAll();
    this.#folder?.processes.clear();
    this.#folder?.release();
  }
}
