import { hostname } from "node:os";
import type { NatsConnection } from "nats";
import { statusSubject } from "../messages/subjects.ts";
import { lookAt, type ReadyChecks, type Warnings } from "../service/health.ts";
import { ProcessFigures } from "./process-figures.ts";
import { encodeStatus, type Status } from "./status.ts";
import type { WorkMeter } from "./work-meter.ts";
import { WorkWindow } from "./work-window.ts";

interface StatusPublisherOptions {
  readonly nc: NatsConnection;
  readonly service: string;
  readonly instance: string;
  readonly version: string;
  readonly checks: ReadyChecks;
  readonly warnings?: Warnings;
  readonly works: readonly WorkMeter[];
  /** Default: a second. */
  readonly everyMs?: number;
}

/**
 * Publishes the service's status once a second over core NATS: without a listener it costs nothing, and nothing is
 * stored. So a service whose last status is some seconds old is away.
 */
export class StatusPublisher {
  readonly #options: StatusPublisherOptions;
  readonly #startedAt = new Date().toISOString();
  readonly #figures = new ProcessFigures();
  readonly #works: readonly WorkWindow[];
  readonly #timer: NodeJS.Timeout;
  #found: Pick<Status, "ready" | "problems" | "warnings"> = { ready: false, problems: [], warnings: [] };
  #isLooking = false;
  #isConnected = true;
  #isClosed = false;

  constructor(options: StatusPublisherOptions) {
    this.#options = options;
    this.#works = options.works.map((meter) => new WorkWindow(meter));
    this.#timer = setInterval(() => this.#say(), options.everyMs ?? 1_000).unref();
    void this.#look().then(() => this.#say());
    void this.#followConnection();
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#figures.close();
  }

  #say(): void {
    const { nc, service, instance } = this.#options;
    if (this.#isClosed || nc.isClosed()) return;
    const status = this.#status();
    // While NATS is away the library would buffer one status per second.
    if (this.#isConnected) nc.publish(statusSubject(service, instance), encodeStatus(status));
    void this.#look();
  }

  #status(): Status {
    const { service, instance, version } = this.#options;
    return {
      service,
      instance,
      host: hostname(),
      pid: process.pid,
      version,
      started_at: this.#startedAt,
      at: new Date().toISOString(),
      ...this.#found,
      ...this.#figures.look(),
      work: Object.fromEntries(this.#works.map((work) => [work.meter.name, work.look()])),
    };
  }

  /** Runs one check at a time: while it hangs, the previous result is published. */
  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const { checks, warnings } = this.#options;
    const found = await lookAt(checks, warnings);
    const problems = Object.entries(found.checks).flatMap(([name, problem]) =>
      problem === "ok" ? [] : [`${name}: ${problem}`],
    );
    this.#found = { ready: found.ready, problems, warnings: [...found.warnings] };
    this.#isLooking = false;
  }

  async #followConnection(): Promise<void> {
    for await (const { type } of this.#options.nc.status()) {
      if (type === "disconnect") this.#isConnected = false;
      else if (type === "reconnect") this.#isConnected = true;
    }
  }
}
