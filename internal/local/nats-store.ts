import { execFile } from "node:child_process";
import { globSync } from "node:fs";
import { resolve } from "node:path";
import { isOlder } from "../jetstream/server-version.ts";
import { StackError } from "./stack-error.ts";

const script = resolve(import.meta.dirname, "../../nats/move-streams.sh");

/**
 * Moves the streams of a server without accounts to the folder in which a server with nats.conf looks for them. Does
 * nothing if there are none. Call it only while no server runs on the folder.
 * @param say is told of each moved stream
 * @throws StackError if they must not be moved
 */
export function moveStreams(storeDir: string, say: (message: string) => void): Promise<void> {
  return new Promise((done, reject) => {
    execFile("sh", [script, storeDir], (error, _stdout, stderr) => {
      const lines = stderr.split("\n").filter((line) => line !== "");
      if (error !== null) reject(new StackError(lines.join("\n") || error.message));
      else {
        for (const line of lines) say(line);
        done();
      }
    });
  });
}

/**
 * Keeps a nats-server before 2.10 away from files of a newer one. It takes their marks of deleted messages for messages
 * with sequences of nineteen digits, and no version delivers what is stored after them (seen with 2.9.10 after 2.10.27
 * and 2.15.1).
 * @param version as `versionOf` returns it
 * @throws StackError if this version must not run there
 */
export function refuseOlder(storeDir: string, version: string): void {
  if (!isOlder(version, [2, 10, 0])) return;
  // 2.9 does not write this file.
  const [newer] = globSync("jetstream/*/streams/*/msgs/index.db", { cwd: storeDir });
  if (newer === undefined) return;
  throw new StackError(
    `${version} would damage ${storeDir}, which a nats-server of 2.10 or newer has written: put a newer one on the PATH, or start empty with --fresh`,
  );
}
