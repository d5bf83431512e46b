import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { logEntry, logText } from "../service/log-text.ts";
import { forTerminal } from "../service/terminal.ts";
import type { LineSink } from "./outlet.ts";

/** Beyond this size a log is renamed to `<name>.1`, replacing the previous one. */
const mostBytes = 16 * 1024 * 1024;

/** Levels that people see at once. */
const loud: ReadonlySet<unknown> = new Set(["warn", "error", "fatal"]);

/** A service's log: a file gets all of it, and the terminal all of it or only what matters. */
export class ServiceLog implements LineSink {
  readonly #file: string;
  readonly #eyes: LineSink;
  readonly #isQuiet: boolean;
  #descriptor: number | undefined;
  #size = 0;

  /** @param isQuiet passes on only warnings, errors and lines that are no log lines, as text */
  constructor(file: string, eyes: LineSink, isQuiet: boolean) {
    this.#file = file;
    this.#eyes = eyes;
    this.#isQuiet = isQuiet;
    try {
      mkdirSync(dirname(file), { recursive: true });
      this.#open();
    } catch {
      // Without the file the lines still reach the terminal, if they matter.
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

  /** Closes the file; later lines are only passed on. */
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
 * Formats a log line for people: time, service, level, message, and cause.
 * @returns undefined if the level is not shown
 */
export function lineForPeople(line: string): string | undefined {
  const entry = logEntry(line);
  // A crash's output is no log line.
  if (entry === undefined) return line.trim() === "" ? undefined : `${forTerminal(line)}\n`;
  return loud.has(entry.level) ? `${logText(entry)}\n` : undefined;
}
