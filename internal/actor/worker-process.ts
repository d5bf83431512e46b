import { newInstanceName } from "../service/instance-name.ts";
import { Turns } from "./turns.ts";
import { Watchdog, type WatchdogOptions } from "./watchdog.ts";

/** What all loops of one process share: when one of them ends the process, the others end too. */
export class WorkerProcess {
  /** Name of the process, unique over time and machines; fit for a key. */
  readonly id = newInstanceName();
  readonly turns = new Turns();
  readonly watchdog: Watchdog;
  #messages = 0;

  constructor(options: WatchdogOptions) {
    this.watchdog = new Watchdog(options);
  }

  /** An id for a message with several events, never used before or after. */
  nextMessageId(): string {
    return `${this.id}:${++this.#messages}`;
  }

  close(): Promise<void> {
    return this.watchdog.close();
  }
}
