import { join, resolve } from "node:path";
import { connectNats } from "../jetstream/connect.ts";
import type { Config } from "../service/config.ts";
import { createLog, reasonOf } from "../service/log.ts";
import { bannerFile } from "./banner.ts";
import type { LineSink, Outlet } from "./outlet.ts";
import { ServiceLog } from "./service-log.ts";
import { statusText, watchStack } from "./stack-status.ts";
import type { StatusLine } from "./status-line.ts";
import type { UpOptions } from "./up-options.ts";

/** The destinations of all output of `up` and its services. */
export interface OutputSettings {
  readonly options: UpOptions;
  readonly events: Outlet;
  /** Where everything else goes. */
  readonly messages: Outlet;
  /** The status lines at the bottom of a terminal. Above them only warnings, errors and restarts are shown. */
  readonly bottom?: StatusLine | undefined;
}

/** What the status line covers. */
interface StatusSources {
  readonly nats: Config<"NATS_URL" | "NATS_CREDS">;
  /** The URL of each service that has a /readyz. */
  readonly ports: ReadonlyMap<string, number>;
  /** Whether a service writes events, which the status line counts. */
  readonly hasEvents: boolean;
}

const newline = 0x0a;

/** All output of `up`: its own messages, the services' logs, the final events and the status line. */
export class StackOutput {
  readonly #settings: OutputSettings;
  readonly #logs = new Map<string, ServiceLog>();
  #eventCount = 0;

  constructor(settings: OutputSettings) {
    this.#settings = settings;
  }

  say(message: string): void {
    void this.#settings.messages.write(`up: ${message}\n`);
  }

  /** Shows what is being started, if there is a status line. */
  showProgress(text: string): void {
    this.#settings.bottom?.show(text);
  }

  /** Opens the log of one service: its file, and the terminal. */
  logOf(service: string): ServiceLog {
    const { messages, bottom, options } = this.#settings;
    const file = join(resolve(options.data), "logs", `${service}.log`);
    const isQuiet = bottom?.isThere === true && !options.verbose;
    const log = this.#logs.get(service) ?? new ServiceLog(file, messages, isQuiet);
    this.#logs.set(service, log);
    return log;
  }

  /** Passes final events on, and counts them for the status line. */
  readonly countedEvents: LineSink = {
    write: (lines) => {
      const bytes = typeof lines === "string" ? Buffer.from(lines) : lines;
      for (const byte of bytes) if (byte === newline) this.#eventCount += 1;
      return this.#settings.events.write(lines);
    },
  };

  /** Updates the status line until `signal` aborts; does nothing without a status line. Never rejects. */
  async showStatus({ nats, ports, hasEvents }: StatusSources, signal: AbortSignal): Promise<void> {
    const { bottom, options } = this.#settings;
    if (bottom?.isThere !== true) return;
    // The most important comes first, because the line is cut where the terminal ends.
    const where = [
      `http://127.0.0.1:${options.port}`,
      `links and keys: ${join(options.data, bannerFile)}`,
      `logs: ${join(options.data, "logs")}`,
    ].join(" · ");
    try {
      const nc = await connectNats("up", nats, createLog("up", "silent"), signal);
      signal.addEventListener("abort", () => void nc.close());
      await watchStack({
        nc,
        eventCount: hasEvents ? () => this.#eventCount : undefined,
        ports,
        show: (moment) => bottom.show(statusText(moment), where),
        signal,
      });
    } catch (error) {
      if (!signal.aborted) this.say(`no figures can be shown: ${reasonOf(error)}`);
    } finally {
      bottom.end();
    }
  }

  /** Removes the status line; messages and events are still written. */
  endStatus(): void {
    this.#settings.bottom?.end();
  }

  /** Waits until all events are written, and closes the log files. */
  async close(): Promise<void> {
    await this.#settings.events.flushed();
    for (const log of this.#logs.values()) log.close();
  }
}
