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

/** Where the output of `up` and of what it runs goes. */
export interface OutputSettings {
  readonly options: UpOptions;
  /** Where final events go. */
  readonly events: Outlet;
  /** Where everything else goes. */
  readonly messages: Outlet;
  /** The last lines of a terminal that people look at: figures and where to look. Of what the services say only what matters is shown above. */
  readonly bottom?: StatusLine | undefined;
}

/** What the status line reports on. */
export interface StatusSources {
  readonly nats: Config<"NATS_URL" | "NATS_CREDS">;
  /** Of each service that can be asked whether it is ready. */
  readonly ports: ReadonlyMap<string, number>;
  /** Whether a service writes events: without one there is nothing to count. */
  readonly hasEvents: boolean;
}

const newline = 0x0a;

/** Everything that people see of `up`: its own messages, the services' logs, the final events and the status line. */
export class StackOutput {
  readonly #settings: OutputSettings;
  readonly #logs = new Map<string, ServiceLog>();
  #eventCount = 0;

  constructor(settings: OutputSettings) {
    this.#settings = settings;
  }

  /** Says one sentence of `up` itself. */
  say(message: string): void {
    void this.#settings.messages.write(`up: ${message}\n`);
  }

  /** Shows what is being started, where there is a status line. */
  showProgress(text: string): void {
    this.#settings.bottom?.show(text);
  }

  /** The log of one service: its own file, and people's eyes. */
  logOf(service: string): ServiceLog {
    const { messages, bottom, options } = this.#settings;
    const file = join(resolve(options.data), "logs", `${service}.log`);
    const isQuiet = bottom?.isThere === true && !options.verbose;
    const log = this.#logs.get(service) ?? new ServiceLog(file, messages, isQuiet);
    this.#logs.set(service, log);
    return log;
  }

  /** Passes final events on and counts them for the status line. */
  readonly countedEvents: LineSink = {
    write: (lines) => {
      const bytes = typeof lines === "string" ? Buffer.from(lines) : lines;
      for (const byte of bytes) if (byte === newline) this.#eventCount += 1;
      return this.#settings.events.write(lines);
    },
  };

  /** Keeps the status line up to date until `signal` aborts; does nothing without one. Never rejects. */
  async showStatus({ nats, ports, hasEvents }: StatusSources, signal: AbortSignal): Promise<void> {
    const { bottom, options } = this.#settings;
    if (bottom?.isThere !== true) return;
    // What matters most first: the line is cut where the terminal ends.
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

  /** Removes the status line; messages and events still get through. */
  endStatus(): void {
    this.#settings.bottom?.end();
  }

  /** Waits until the events have left this process, and closes the logs' files. */
  async close(): Promise<void> {
    await this.#settings.events.flushed();
    for (const log of this.#logs.values()) log.close();
  }
}
