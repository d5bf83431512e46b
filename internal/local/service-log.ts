import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { logEntry, logText } from "../service/log-text.ts";
import { forTerminal } from "../service/terminal.ts";
import type { LineSink } from "./outlet.ts";

/** Beyond this a log is put aside as `<name>.1`, in place of the one before. */
const mostBytes = 16 * 1024 * 1024;

/** Levels that people want to see at once. */
const loud: ReadonlySet<unknown> = new Set(["warn", "error", "fatal"]);

/** What a service says of itself: all of it goes into a file, and either all of it or what matters to people's eyes too. */
export class ServiceLog implements LineSink {
  readonly #file: string;
  readonly #eyes: LineSink;
  readonly #isQuiet: boolean;
  #descriptor: number | undefined;
  #size = 0;

  /** @param isQuiet passes on only warnings, errors and what is no log line, each as one line to be read */
  constructor(file: string, eyes: LineSink, isQuiet: boolean) {
    this.#file = file;
    this.#eyes = eyes;
    this.#isQuiet = isQuiet;
    try {
      mkdirSync(dirname(file), { recursive: true });
      this.#open();
    } catch {
      // Without a file it is seen all the same, or not at all.
    }
  }

  async write(data: Uint8Array | string): Promise<void> {
    const bytes = typeof data === "string" ? Buffer.from(data) : data;
    this.#keep(bytes);
    if (!this.#isQuiet) return this.#eyes.write(bytes);
    const lines = new TextDecoder().decode(bytes).split("\n").slice(0, -1);
    const readable = lines.map(lineForPeople).filter((line) => line !== undefined);
    if (readable.length > 0) await this.#eyes.write(readable.join(""));
  }

  /** Closes the file; what is written after that is only passed on. */
  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  #open(): void {
    this.#descriptor = openSync(this.#file, "a", 0o600);
    this.#size = fstatSync(this.#descriptor).size;
  }

  #keep(bytes: Uint8Array): void {
    if (this.#descriptor === undefined) return;
    try {
      if (this.#size > mostBytes) {
        this.close();
        renameSync(this.#file, `${this.#file}.1`);
        this.#open();
      }
      writeSync(this.#descriptor, bytes);
      this.#size += bytes.length;
    } catch {
      // A full disk must not stop the service behind it.
    }
  }
}

/**
 * A line of a service's log as people read it: when, who, how bad, what, and why.
 * @returns undefined for one that is only information
 */
export function lineForPeople(line: string): string | undefined {
  const entry = logEntry(line);
  // A crash speaks in its own words.
  if (entry === undefined) return line.trim() === "" ? undefined : `${forTerminal(line)}\n`;
  return loud.has(entry.level) ? `${logText(entry)}\n` : undefined;
}
