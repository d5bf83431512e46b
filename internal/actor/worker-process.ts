import { newInstanceName } from "../service/instance-name.ts";
import { Turns } from "./turns.ts";
import { Watchdog, type WatchdogOptions } from "./watchdog.ts";

/** What all loops of one process share: one of them that ends takes the others with it. */
export class WorkerProcess {
  /** The process among all others, before and after it; fit for a key. */
  readonly id = newInstanceName();
  readonly turns = new Turns();
  readonly watchdog: Watchdog;
  #messages = 0;

  constructor(options: WatchdogOptions) {
    this.watchdog = new Watchdog(options);
  }

  /** An id for a message that carries several events: it was never used, and never will be. */
  nextMessageId(): string {
    return `${this.id}:${++this.#messages}`;
  }

  close(): Promise<void> {
    return this.watchdog.close();
  }
}
