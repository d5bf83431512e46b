import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { Turns } from "./turns.ts";
import { Watchdog, type WatchdogOptions } from "./watchdog.ts";

/** What all runs of one process share: one of them that ends takes the others with it. */
export class Worker {
  /** The process among all others, before and after it; fit for a key. */
  readonly id: string;
  readonly turns = new Turns();
  readonly watchdog: Watchdog;

  constructor(options: WatchdogOptions) {
    const host = hostname().replaceAll(/[^A-Za-z0-9_-]/g, "_");
    this.id = `${host}-${process.pid}-${randomBytes(3).toString("hex")}`;
    this.watchdog = new Watchdog(options);
  }

  close(): Promise<void> {
    return this.watchdog.close();
  }
}
